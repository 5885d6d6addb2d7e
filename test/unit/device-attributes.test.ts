import { expect } from 'chai';
import fc from 'fast-check';
import { readAttributes } from '../../backend/fleet/device-attributes.ts';

describe('attributes of a device', () => {
  const TABLE: [what: string, metadata: string | null, attributes: object][] = [
    ['no metadata', null, {}],
    ['an empty object', '{}', {}],
    ['texts, numbers and booleans', '{"a":"x","b":1.5,"c":false}', { a: 'x', b: 1.5, c: false }],
    ['nested values and null', '{"a":{"b":1},"c":[1],"d":null,"e":1}', { e: 1 }],
    ['an array', '["a"]', {}],
    ['a text', '"a"', {}],
    ['no JSON', '{a:1}', {}],
    ['a number that is too large', '{"a":1e999}', {}],
    ['an empty key', '{"":1}', {}],
  ];
  for (const [what, metadata, attributes] of TABLE) {
    it(`of ${what}`, () => {
      expect(readAttributes(metadata)).to.deep.equal(attributes);
    });
  }

  it('keep a key that objects have of their own', () => {
    const attributes = readAttributes('{"__proto__":"x","constructor":"y"}');
    expect(Object.entries(attributes)).to.deep.equal([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });

  it('are never more, longer or of another type than documented', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), (text) => {
        const entries = Object.entries(readAttributes(text));
        expect(entries.length).to.be.at.most(50);
        for (const [key, value] of entries) {
          expect(key).to.have.length.within(1, 100);
          expect(['string', 'number', 'boolean']).to.include(typeof value);
          expect([...String(value)].length).to.be.at.most(500);
        }
      }),
    );
  });
});
