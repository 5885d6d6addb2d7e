import { expect } from 'chai';
import fc from 'fast-check';
import {
  MAX_COMPONENTS,
  MAX_COMPONENTS_BYTES,
  readProfile,
} from '../../backend/devices/device-profile.ts';

const many = (count: number, version = 'v1') =>
  JSON.stringify(
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`app-${n}`, version])),
  );

describe('the profile in a poll', () => {
  const PROTECTIONS: [what: string, value: unknown, read: string | null][] = [
    ['none', 'none', 'none'],
    ['slots', 'slots', 'slots'],
    ['a value of a newer agent', 'teleport', null],
    ['an empty value', '', null],
    ['a repeated key', ['files', 'slots'], null],
    ['no value', undefined, null],
  ];
  for (const [what, protection, read] of PROTECTIONS) {
    it(`has the protection ${read} for ${what}`, () => {
      expect(readProfile({ protection, components: '{}' })?.protection).to.equal(read);
    });
  }

  const USABLE: [what: string, text: string][] = [
    ['no component', '{}'],
    ['components', '{"app":"v1","os":"v2.0.0"}'],
    ['the highest number of components', many(MAX_COMPONENTS)],
    ['the longest name and version', JSON.stringify({ ['n'.repeat(200)]: 'v'.repeat(50) })],
    ['a name that JavaScript treats specially', '{"__proto__":"v1"}'],
  ];
  for (const [what, components] of USABLE) {
    it(`has ${what}`, () => {
      expect(JSON.stringify(readProfile({ components })?.components)).to.equal(components);
    });
  }

  const UNUSABLE: [what: string, value: unknown][] = [
    ['text that is not JSON', '{app:v1}'],
    ['an empty text', ''],
    ['an array', '["app"]'],
    ['null', 'null'],
    ['a number as version', '{"app":1}'],
    ['no version', '{"app":null}'],
    ['an empty version', '{"app":""}'],
    ['an empty name', '{"":"v1"}'],
    ['a name that cannot be stored', '{"a\\u0000b":"v1"}'],
    ['a version that cannot be stored', '{"app":"\\ud800"}'],
    ['a name that is too long', JSON.stringify({ ['n'.repeat(201)]: 'v1' })],
    ['a version that is too long', JSON.stringify({ app: 'v'.repeat(51) })],
    ['too many components', many(MAX_COMPONENTS + 1)],
    ['a text that is too long', `{"app":"v1"}${' '.repeat(MAX_COMPONENTS_BYTES)}`],
    ['a repeated key', ['{"app":"v1"}', '{}']],
  ];
  for (const [what, components] of UNUSABLE) {
    it(`has no components for ${what}`, () => {
      expect(readProfile({ protection: 'files', components })).to.deep.equal({
        protection: 'files',
        components: null,
      });
    });
  }

  it('is absent if neither is reported or usable', () => {
    expect(readProfile({})).to.equal(null);
    expect(readProfile({ protection: 'x', components: 'y' })).to.equal(null);
  });

  it('never fails, whatever the query is', () => {
    fc.assert(
      fc.property(fc.anything(), fc.oneof(fc.anything(), fc.json()), (protection, components) => {
        readProfile({ protection, components });
      }),
    );
  });
});
