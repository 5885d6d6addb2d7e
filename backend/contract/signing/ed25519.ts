/** Ed25519 (RFC 8032) with the checks that OpenSSL leaves to its callers. Pure. */
import { type KeyObject, createPublicKey, verify } from 'node:crypto';

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** What stands before the 32 bytes of an Ed25519 key in its DER form (RFC 8410). */
const DER_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
/** Prime of the field, 2^255 − 19. */
const FIELD = 2n ** 255n - 19n;
/** Order of the base point. */
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
/**
 * y of the eight points of small order; x differs by its sign only. With such a key anybody can make
 * a signature that fits, and OpenSSL accepts it.
 */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  FIELD - 1n,
  ...[
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  ].map((hex) => littleEndian(Buffer.from(hex, 'hex'))),
]);

/**
 * The 32 bytes of a public key.
 * @param value PEM, or the bare bytes in base64
 * @throws Error whose message completes "the key …"
 */
export function readPublicKey(value: string): Buffer {
  const bytes = fromBase64(value.trim()) ?? fromPem(value);
  if (bytes.length !== KEY_BYTES) throw new Error(`must have ${KEY_BYTES} bytes`);
  const y = littleEndian(bytes) & (2n ** 255n - 1n);
  if (y >= FIELD) throw new Error('is not written in its one canonical form');
  if (SMALL_ORDER_Y.has(y))
    throw new Error('is a point of small order, for which anybody can sign');
  return bytes;
}

/**
 * Why this is no signature at all, whatever it was made for; `null`: it has the form of one.
 * @param value base64
 */
export function signatureFormFault(value: string): string | null {
  const bytes = fromBase64(value);
  if (bytes?.length !== SIGNATURE_BYTES) {
    return `the signature is not ${SIGNATURE_BYTES} bytes in base64`;
  }
  if (littleEndian(bytes.subarray(32)) >= GROUP_ORDER) {
    return 'the signature is not written in its one canonical form';
  }
  return null;
}

/**
 * @param signature base64, without a fault in its form
 * @param publicKey as {@link readPublicKey} gives it
 */
export function signatureFits(signed: string, signature: string, publicKey: Buffer): boolean {
  const bytes = Buffer.from(signature, 'base64');
  return verify(null, Buffer.from(signed, 'utf8'), keyObject(publicKey), bytes);
}

function keyObject(bytes: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([DER_PREFIX, bytes]), format: 'der', type: 'spki' });
}

function fromPem(value: string): Buffer {
  let key: KeyObject;
  try {
    key = createPublicKey(value);
  } catch {
    throw new Error('is neither PEM nor 32 bytes in base64');
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('is not an Ed25519 key');
  return (key.export({ format: 'der', type: 'spki' }) as Buffer).subarray(DER_PREFIX.length);
}

/** `null` unless it is base64 exactly as an encoder writes it: padded, no stray bits, no spaces. */
function fromBase64(value: string): Buffer | null {
  const bytes = Buffer.from(value, 'base64');
  return bytes.toString('base64') === value ? bytes : null;
}

function littleEndian(bytes: Buffer): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}
