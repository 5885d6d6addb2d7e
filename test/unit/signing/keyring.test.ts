import { expect } from 'chai';
import {
  effectiveKeys,
  importFault,
  verifyKeyring,
} from '../../../backend/contract/signing/keyring.ts';
import {
  rawKeyOf,
  keyringOf,
  newKeyPair,
  pemOf,
  signKeyring,
} from '../../support/signing-fixtures.ts';

const NOW = new Date('2027-01-01T00:00:00Z');
const [root, first, second, unknown] = [newKeyPair(), newKeyPair(), newKeyPair(), newKeyPair()];

describe('a keyring', () => {
  const rootKey = { id: 'root', public_key: rawKeyOf(root), revoked: false };
  const trusted = { id: 'first', public_key: rawKeyOf(first), revoked: false };
  const next = { id: 'second', public_key: rawKeyOf(second), revoked: false };

  function verify(
    signed = signKeyring(keyringOf([trusted]), root),
    expected: { organizationId?: string | null } = {},
    roots = [rootKey],
  ): string {
    const verdict = verifyKeyring(signed, roots, { ...expected, now: NOW });
    return 'refused' in verdict ? verdict.refused : 'valid';
  }

  it('is valid if a root key signed it', () => {
    expect(verify()).to.equal('valid');
  });

  it('is rejected with any other signature', () => {
    const keyring = keyringOf([trusted]);
    expect(verify(signKeyring(keyring, unknown))).to.include('does not fit');
    expect(verify(signKeyring({ ...keyring, key_id: 'other' }, root))).to.include('unknown key');
    expect(verify(signKeyring(keyring, root), {}, [{ ...rootKey, revoked: true }])).to.include(
      'revoked key',
    );
    const asManifest = signKeyring(keyring, root, 'ops-center-ota manifest 1\n');
    expect(verify(asManifest)).to.include('does not fit');
  });

  it('is rejected if it is expired, of another organization, or has no usable key', () => {
    const signed = (change: object, keys = [trusted]) => signKeyring(keyringOf(keys, change), root);
    expect(verify(signed({ expires: '2026-01-01T00:00:00Z' }))).to.include('expired');
    expect(verify(signed({ organization_id: 'a' }), { organizationId: 'b' })).to.include(
      'another organization',
    );
    expect(verify(signed({ organization_id: 'a' }), { organizationId: null })).to.include(
      'another organization',
    );
    expect(verify(signed({}, [{ ...trusted, revoked: true }]))).to.include('at least one key');
    expect(verify(signed({}, [{ ...trusted, public_key: '' }]))).to.include('public_key');
    const zero = Buffer.alloc(32).toString('base64');
    expect(verify(signed({}, [{ ...trusted, public_key: zero }]))).to.include('small order');
    expect(verify(signed({}, [trusted, trusted]))).to.include('duplicate');
  });

  it('F04 can only be imported with a higher sequence', () => {
    const at = (sequence: number) => keyringOf([trusted], { sequence });
    expect(importFault(at(5), null)).to.equal(null);
    expect(importFault(at(6), at(5))).to.equal(null);
    expect(importFault(at(5), at(5))).to.include('not above 5');
    expect(importFault(at(4), at(5))).to.include('not above 5');
  });

  it('replaces the configured keys and never restores a revoked key', () => {
    const state = (keys: { id: string; revoked: boolean }[]) =>
      keys.map(({ id, revoked }) => `${id}${revoked ? ' revoked' : ''}`);
    const one = keyringOf([trusted, { ...next, revoked: true }]);
    const two = keyringOf([trusted, { ...next, id: 'second again', public_key: pemOf(second) }], {
      sequence: 2,
    });
    expect(state(effectiveKeys([next], null, []))).to.deep.equal(['second']);
    expect(state(effectiveKeys([next], one, [one]))).to.deep.equal(['first', 'second revoked']);
    expect(state(effectiveKeys([next], two, [one, two]))).to.deep.equal([
      'first',
      'second again revoked',
    ]);
    const here = [{ ...trusted, revoked: true }];
    expect(state(effectiveKeys(here, two, [two]))).to.deep.equal(['first revoked', 'second again']);
    expect(state(effectiveKeys([next], null, [one]))).to.deep.equal(['second revoked']);
  });
});
