/** Encrypted cookies: any process with the same secret can read them, and nobody else. */
import { hkdfSync, hash } from 'node:crypto';

import { decodeProtectedHeader, EncryptJWT, errors, jwtDecrypt, type JWTPayload } from 'jose';

import type { ThrottledLog } from './throttled-log.ts';

/** A cookie that was made for one purpose is worthless for the other. */
export type Purpose = 'session' | 'sign-in';

export class SealedCookies {
  readonly #secret: string;
  readonly #log: ThrottledLog;

  constructor(secret: string, log: ThrottledLog) {
    this.#secret = secret;
    this.#log = log;
  }

  /** Encrypts the content for `seconds`. */
  async seal(purpose: Purpose, content: JWTPayload, seconds: number): Promise<string> {
    const { key, kid } = this.#keyFor(purpose);
    const now = Math.floor(Date.now() / 1000);
    return new EncryptJWT(content)
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid })
      .setIssuedAt(now)
      .setExpirationTime(now + Math.ceil(seconds))
      .encrypt(key);
  }

  /** `null` if the cookie is expired, was changed, or was made with another secret or for another purpose. */
  async open(purpose: Purpose, value: string): Promise<JWTPayload | null> {
    const { key, kid } = this.#keyFor(purpose);
    try {
      if (decodeProtectedHeader(value).kid !== kid) {
        this.#log.warn(
          { cookie: purpose },
          'A cookie was encrypted with another secret: give all api processes the same admins.oidc.sign_in.session_secret',
        );
        return null;
      }
      const { payload } = await jwtDecrypt(value, key, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
        requiredClaims: ['exp'],
      });
      return payload;
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof TypeError) return null;
      throw error;
    }
  }

  /** One key for each purpose, and an id of it that reveals nothing. */
  #keyFor(purpose: Purpose): { key: Uint8Array; kid: string } {
    const key = new Uint8Array(hkdfSync('sha256', this.#secret, '', `ota-server ${purpose}`, 32));
    const id = new Uint8Array(hkdfSync('sha256', this.#secret, '', `ota-server ${purpose} id`, 32));
    return { key, kid: hash('sha256', id, 'hex').slice(0, 16) };
  }
}
