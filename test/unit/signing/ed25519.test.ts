import { createPublicKey } from 'node:crypto';
import { expect } from 'chai';
import {
  readPublicKey,
  signatureFits,
  signatureFormFault,
} from '../../../backend/contract/signing/ed25519.ts';
import { rawKeyOf, newKeyPair, pemOf, signText } from '../../support/signing-fixtures.ts';

const FIELD = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

function littleEndian(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
}

const ORDER_8 = BigInt('0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826');

/** The y coordinates of all points of small order (RFC 8032, 5.1), in every encoding with 255 bits. */
const SMALL_ORDER = {
  'order 4, all zero': 0n,
  'order 1': 1n,
  'order 2': FIELD - 1n,
  'order 8': ORDER_8,
  'order 8, negated': FIELD - ORDER_8,
  'order 4, not canonical': FIELD,
  'order 1, not canonical': FIELD + 1n,
};

describe('Ed25519 keys and signatures', () => {
  const pair = newKeyPair();
  const PREFIX = 'test prefix\n';
  const signature = signText('text', pair, PREFIX);

  it('a key can be read from PEM and from its raw bytes', () => {
    expect(readPublicKey(pemOf(pair))).to.deep.equal(readPublicKey(rawKeyOf(pair)));
    expect(signatureFits(`${PREFIX}text`, signature, readPublicKey(pemOf(pair)))).to.equal(true);
    expect(signatureFits(`${PREFIX}texT`, signature, readPublicKey(pemOf(pair)))).to.equal(false);
  });

  for (const [what, y] of Object.entries(SMALL_ORDER)) {
    it(`a key of small order is rejected: ${what}, with either sign`, () => {
      for (const sign of [0n, 1n]) {
        const key = littleEndian(y | (sign << 255n)).toString('base64');
        expect(() => readPublicKey(key)).to.throw(/small order|canonical/);
      }
    });
  }

  it('a key of small order is rejected in PEM, too', () => {
    const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), littleEndian(1n)]);
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    const pem = key.export({ type: 'spki', format: 'pem' }) as string;
    expect(() => readPublicKey(pem)).to.throw('small order');
  });

  for (const [what, value] of Object.entries({
    nothing: '',
    'a word': 'secret',
    'too few bytes': Buffer.alloc(31, 7).toString('base64'),
    'too many bytes': Buffer.alloc(33, 7).toString('base64'),
    'base64 without padding': rawKeyOf(pair).replace(/=+$/, ''),
    'base64 with stray bits': rawKeyOf(pair).replace(/.=$/, (end) => `${nextDigit(end)}=`),
    base64url: Buffer.alloc(32, 0xfb).toString('base64url'),
    'a y beyond the field': littleEndian(FIELD + 5n).toString('base64'),
    'a private key': pair.privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  })) {
    it(`a malformed key is rejected: ${what}`, () => {
      expect(() => readPublicKey(value)).to.throw();
    });
  }

  it('a signature has exactly one valid encoding', () => {
    expect(signatureFormFault(signature)).to.equal(null);
    const bytes = Buffer.from(signature, 'base64');
    const s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`);
    const other = Buffer.concat([bytes.subarray(0, 32), littleEndian(s + ORDER)]);
    expect(signatureFormFault(other.toString('base64'))).to.include('canonical form');
    for (const value of [
      signature.replace(/=+$/, ''),
      `${signature}\n`,
      ` ${signature}`,
      signature.replace(/.==$/, (end) => `${nextDigit(end)}==`),
      bytes.subarray(1).toString('base64'),
      Buffer.concat([bytes, Buffer.alloc(1)]).toString('base64'),
      '',
    ]) {
      expect(signatureFormFault(value), JSON.stringify(value)).to.include('64 bytes in base64');
    }
  });
});

/** The base64 digit after the first one of `text`. It only changes unused bits. */
function nextDigit(text: string): string {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return digits.charAt(digits.indexOf(text.charAt(0)) + 1);
}
