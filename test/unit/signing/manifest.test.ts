import { expect } from 'chai';
import {
  checkManifest,
  verifyManifest,
  type Manifest,
} from '../../../backend/contract/signing/manifest.ts';
import { rawKeyOf, manifestOf, newKeyPair, signManifest } from '../../support/signing-fixtures.ts';

const NOW = new Date('2027-01-01T00:00:00Z');

describe('a manifest', () => {
  const pair = newKeyPair();
  const key = { id: 'release', public_key: rawKeyOf(pair), revoked: false };
  const verify = (change: Partial<Manifest>, keys = [key]) => {
    const { manifest, signature } = signManifest(manifestOf(change), pair);
    const verdict = verifyManifest(manifest, signature, keys, { now: NOW });
    return 'refused' in verdict ? verdict.refused : 'valid';
  };

  it('is valid, whatever the fields that are not compared', () => {
    expect(verify({})).to.equal('valid');
    expect(verify({ organization_id: 'somebody', sequence: 0 })).to.equal('valid');
  });

  it('F02 is rejected if its key is revoked under another id', () => {
    const renamed = { ...key, id: 'renamed', revoked: true };
    expect(verify({}, [key, renamed])).to.include('revoked key "release"');
  });

  for (const [change, reason] of [
    [{ expires: '2027-01-01T00:00:00Z' }, 'expired at 2027-01-01T00:00:00Z'],
    [{ expires: '2019-01-01T00:00:00Z' }, 'expires before it was issued'],
    [{ expires: '2100-01-01T00:00:00' }, 'UTC'],
    [{ expires: '2100-01-01' }, 'UTC'],
    [{ expires: '2100-02-30T00:00:00Z' }, 'a time that exists'],
    [{ issued: 'yesterday' }, 'UTC'],
    [{ sha256: 'A3'.repeat(32) }, '64 hex digits'],
    [{ device_types: [] }, 'device_types'],
    [{ device_types: ['a', 'a'] }, 'device_types'],
    [{ version: 'v2\n' }, 'one line'],
    [{ size: -1 }, 'size'],
    [{ sequence: 1.5 }, 'sequence'],
    [{ sequence: 2 ** 53 }, 'sequence'],
    [{ schema: 2 as 1 }, 'schema'],
    [{ algorithm: 'none' } as Partial<Manifest>, '"algorithm" is not allowed'],
    [JSON.parse('{"__proto__": 1}') as Partial<Manifest>, 'not allowed'],
    [JSON.parse('{"__proto__": {"size": 1}}') as Partial<Manifest>, 'not allowed'],
  ] as [Partial<Manifest>, string][]) {
    it(`is rejected with ${JSON.stringify(change)}`, () => {
      expect(verify(change)).to.include(reason);
    });
  }

  it('needs a well-formed signature even without configured keys', () => {
    const { manifest, signature } = signManifest(manifestOf(), pair);
    expect(checkManifest(manifest, signature, { now: NOW })).to.have.property('manifest');
    expect(checkManifest(manifest, 'c2lnbmF0dXJl', { now: NOW })).to.have.property('refused');
  });
});
