import { isDeepStrictEqual } from 'node:util';

import { expect } from 'chai';
import fc from 'fast-check';

import { MAX_VERSION_LENGTH } from '../../backend/contract/lengths.ts';
import { checkUpdateQuerySchema, isUsualPoll } from '../../backend/devices/device.schema.ts';
import { validate } from '../../backend/http/validate.ts';

/** Values that a query parser returns, many of them near a limit. */
const value = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
  fc.constantFrom(undefined, '', ' ', 'v1.0.0', '\0', 'v1\0', '\ud800', '😀', ['a', 'b'], []),
  fc
    .tuple(fc.constantFrom('v', '😀'), fc.integer({ min: -1, max: 1 }))
    .map(([text, over]) => text.repeat(MAX_VERSION_LENGTH + over)),
  fc.integer({ min: 199, max: 201 }).map((length) => 'v'.repeat(length)),
);

const query = fc.record(
  { device_id: value, current_version: value, protection: value, components: value, other: value },
  { requiredKeys: [] },
);

function isLeftAsItIs(polled: object): boolean {
  try {
    return isDeepStrictEqual(validate(checkUpdateQuerySchema, polled), polled);
  } catch {
    return false;
  }
}

describe('the query of a poll', () => {
  it('is usual if, and only if, the schema accepts it and changes nothing', () => {
    fc.assert(
      fc.property(query, (polled) => {
        expect(isUsualPoll(polled)).to.equal(isLeftAsItIs(polled));
      }),
      { numRuns: 5_000 },
    );
  });

  it('is usual with the id and any version that can be stored, or none', () => {
    for (const version of [{}, { current_version: '' }, { current_version: 'v1.0.0 (beta)' }]) {
      expect(
        isUsualPoll({ device_id: 'd1', protection: 'boot', components: '{}', ...version }),
      ).to.equal(true);
    }
  });

  it('is not usual without an id, or with a version that the schema rejects or drops', () => {
    for (const polled of [
      {},
      { device_id: '' },
      { device_id: ['d1', 'd1'] },
      { device_id: 'd1', current_version: ['v1', 'v2'] },
      { device_id: 'd1', current_version: 'v1\0' },
      { device_id: 'd1', current_version: 'v'.repeat(MAX_VERSION_LENGTH + 1) },
    ]) {
      expect(isUsualPoll(polled), JSON.stringify(polled)).to.equal(false);
    }
  });
});
