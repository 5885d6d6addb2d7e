import { expect } from 'chai';
import { validate } from '../../backend/http/validate.ts';
import fc from 'fast-check';
import Joi from 'joi';

import { createDeploymentSchema } from '../../backend/deployments/creation/creation.schema.ts';
import { statusReportSchema } from '../../backend/devices/device.schema.ts';
import { lenientText, storableText } from '../../backend/http/text.schema.ts';

/** PostgreSQL stores any valid characters except NUL. */
function isStorable(text: string): boolean {
  return !/[\0\p{Surrogate}]/u.test(text);
}

/** Any UTF-16 code units, including lone surrogates. */
const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom(0, 0x41, 0xd83d, 0xde00, 0xd800, 0xdfff, 0xe9),
      fc.nat({ max: 0xffff }),
    ),
    { minLength: 1, maxLength: 30 },
  )
  .map((units) => String.fromCharCode(...units));

describe('text from admins', () => {
  it('is rejected if and only if it cannot be stored', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { error, value } = storableText(100).validate(text);
        expect(error === undefined).to.equal(isStorable(text));
        if (!error) expect(value).to.equal(text);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is rejected with the reason', () => {
    const { error } = Joi.object({ name: storableText(100) }).validate({ name: 'a\u0000b' });
    expect(error?.message).to.equal('"name" must not contain NUL or broken characters');
  });

  const DEPLOYMENT = {
    deployment_name: 'Firmware',
    target_version: 'v2',
    rollout_strategy: 'manual',
    update_package_url: 'https://cdn.example.com/x',
    checksum: 'a'.repeat(64),
    release_notes: 'Fixes',
    manifest: '{}',
    signature: 'AAAA',
    device_filters: { device_type: 'raspberry_pi', current_version: 'v1' },
  };

  it('is checked in every field of a deployment', () => {
    const schema = createDeploymentSchema(false);
    expect(schema.validate(DEPLOYMENT).error).to.equal(undefined);
    const texts = Object.entries(DEPLOYMENT).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    const broken = [
      ...texts.map(([key, value]) => ({ [key]: `${value}\u0000` })),
      ...texts.map(([key, value]) => ({ [key]: `${value}\ud83d` })),
      { device_filters: { device_type: 'a\u0000' } },
      { device_filters: { current_version: 'v1\ud83d' } },
    ];
    for (const fault of broken) {
      const { error } = schema.validate({ ...DEPLOYMENT, ...fault });
      expect(error?.details[0]?.path[0], JSON.stringify(fault)).to.equal(Object.keys(fault)[0]);
    }
  });
});

describe('text from devices', () => {
  it('is always accepted, storable and not too long', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 20 }), (text, limit) => {
        const { error, value } = lenientText(limit).validate(text);
        expect(error).to.equal(undefined);
        expect(isStorable(value as string)).to.equal(true);
        expect((value as string).length).to.be.at.most(limit);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is not changed if it can be stored', () => {
    fc.assert(
      fc.property(anyText.filter(isStorable), (text) => {
        expect(lenientText(30).validate(text).value).to.equal(text);
      }),
    );
  });

  it('is cut to 4,000 characters in an error message, even within an emoji', () => {
    const report = { status: 'failed', error_message: `${'x'.repeat(3_999)}😀` };
    const { error_message: message } = validate(statusReportSchema, report);
    expect(message?.slice(3_998)).to.equal('x\ufffd');
  });
});
