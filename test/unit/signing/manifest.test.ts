import { expect } from 'chai';
import {
  checkManifest,
  verifyManifest,
  type Manifest,
} from '../../../backend/contract/signing/manifest.ts';
import { bareOf, manifestOf, newKeyPair, signManifest } from '../../support/signed-package.ts';

const NOW = new Date('2027-01-01T00:00:00Z');

describe('signing: manifests', () => {
  const pair = newKeyPair();
  const key = { id: 'release', public_key: bareOf(pair), revoked: false };
  const verdictOn = (change: Partial<Manifest>, keys = [key]) => {
    const { manifest, signature } = signManifest(manifestOf(change), pair);
    const verdict = verifyManifest(manifest, signature, keys, { now: NOW });
    return 'refused' in verdict ? verdict.refused : 'good';
  };

  it('a good one is good, and what is not compared does not matter', () => {
    expect(verdictOn({})).to.equal('good');
    expect(verdictOn({ organization_id: 'somebody', sequence: 0 })).to.equal('good');
  });

  it('F02 a key that is revoked under one id is revoked under every other', () => {
    const renamed = { ...key, id: 'old name', revoked: true };
    expect(verdictOn({}, [key, renamed])).to.include('revoked key "release"');
  });

  for (const [change, says] of [
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
    it(`refuses ${JSON.stringify(change)}`, () => {
      expect(verdictOn(change)).to.include(says);
    });
  }

  it('without keys the form of the signature is looked at all the same', () => {
    const { manifest, signature } = signManifest(manifestOf(), pair);
    expect(checkManifest(manifest, signature, { now: NOW })).to.have.property('manifest');
    expect(checkManifest(manifest, 'c2lnbmF0dXJl', { now: NOW })).to.have.property('refused');
  });
});
