import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { Validator } from '@seriousme/openapi-schema-validator';
import { expect } from 'chai';
import fc from 'fast-check';

import { generatedFiles } from '../../dev/openapi/generated-files.ts';
import { OPERATIONS } from '../../dev/openapi/operations.ts';
import { ApiDocument } from '../support/api-document.ts';
import { arbitraryOf, nearlyValid } from '../support/joi-arbitraries.ts';
import { ADMIN_API, createFleet, startOta, type OtaServer } from '../support/ota-server.ts';

const AREAS = ['admin', 'device'] as const;
const UUID = '0b1c2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d';
const CHECKS_PER_SCHEMA = 3_000;

describe('the OpenAPI document', () => {
  const { document } = new ApiDocument();

  it('is up to date with the routes, their Joi schemas and the response types', async () => {
    for (const { file, content } of await generatedFiles()) {
      const name = path.basename(file);
      const outdated = `${name} is not up to date: run "npm run openapi" and commit what it writes`;
      expect((await readFile(file, 'utf8')) === content, outdated).to.equal(true);
    }
  }).timeout(60_000);

  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(document));
    expect(valid, JSON.stringify(errors)).to.equal(true);
    expect(validator.version).to.equal('3.1');
  });

  it('has a unique id and a valid example for every operation', () => {
    const ids = Object.values(document.paths)
      .flatMap((methods) => Object.values(methods))
      .map(({ operationId }) => operationId);
    expect(new Set(ids).size).to.equal(ids.length);
    const validator = new ApiDocument();
    for (const area of AREAS) {
      for (const [route, { example, query }] of Object.entries(OPERATIONS[area])) {
        const parameters = new URLSearchParams(
          query && area === 'device' ? { device_id: UUID } : {},
        );
        expect(validator.requestValidator(area, route)(parameters, example ?? {}), route).to.equal(
          true,
        );
      }
    }
  });

  describe('of a running server', () => {
    let ota: OtaServer;

    before(async () => {
      ota = await startOta();
    });
    after(() => ota.close());

    it('has exactly the mounted routes', () => {
      for (const area of AREAS) {
        expect(ota.host.routes(area)).to.have.members(Object.keys(OPERATIONS[area]));
      }
    });

    it('is served to admins unchanged', async () => {
      const fleet = await createFleet(ota, 0);
      const answer = await fleet.get('/openapi.json').expect(200);
      expect(answer.headers['content-type']).to.match(/^application\/json/);
      expect(answer.body).to.deep.equal(document);
      await ota.host.request.get(`${ADMIN_API}/openapi.json`).expect(401);
      await ota.host.as(ota.host.viewer).get(`${ADMIN_API}/openapi.json`).expect(403);
    });
  });

  describe('validates requests as the server does', () => {
    const validator = new ApiDocument();

    for (const area of AREAS) {
      for (const [route, { body, example }] of Object.entries(OPERATIONS[area])) {
        if (!body) continue;
        it(`in the body of ${route}`, () => {
          const allows = validator.bodyValidator(area, route);
          let allowed = 0;
          let rejected = 0;
          fc.assert(
            fc.property(
              fc.oneof(
                ...variantsOf(example ?? {}).map((valid) => nearlyValid(body, valid, [UUID])),
                arbitraryOf(body, [UUID]),
              ),
              (made) => {
                const text = JSON.stringify(made) ?? 'null';
                // Lone surrogates cannot be sent as UTF-8.
                fc.pre(!/\\ud[89a-f]/i.test(text));
                const input: unknown = JSON.parse(text);
                const { error, value } = body.validate(input) as { error?: Error; value: unknown };
                const documented = allows(input);
                if (documented) {
                  allowed += 1;
                  expect(error, 'the document allows what the server rejects').to.equal(undefined);
                } else {
                  rejected += 1;
                  const acceptedUnchanged = !error && keeps(value, input);
                  expect(
                    acceptedUnchanged,
                    'the server accepts what the document forbids',
                  ).to.equal(false);
                }
              },
            ),
            { numRuns: CHECKS_PER_SCHEMA },
          );
          expect(allowed, 'allowed bodies').to.be.above(0);
          expect(rejected, 'rejected bodies').to.be.above(0);
        }).timeout(60_000);
      }
    }
  });
});

/** Valid bodies, one for each rule that concerns several keys. */
function variantsOf(example: object): object[] {
  if (!('rollout_strategy' in example)) return [example];
  const {
    rollout_percentage: _share,
    device_filters: _filters,
    ...plain
  } = example as Record<string, unknown>;
  return [
    example,
    { ...plain, rollout_strategy: 'manual', device_filters: { version_operator: '=' } },
    { ...plain, rollout_strategy: 'manual', device_ids: [UUID] },
    { ...plain, rollout_strategy: 'rolling', batch_size: 5 },
    { ...plain, rollout_strategy: 'immediate', manifest: '{}', signature: 'x' },
  ];
}

/** Whether Joi returned every value unchanged. It may add defaults. */
function keeps(output: unknown, input: unknown): boolean {
  if (output instanceof Date) return output.toISOString() === input;
  if (Array.isArray(input)) {
    return (
      Array.isArray(output) &&
      output.length === input.length &&
      input.every((one, index) => keeps(output[index], one))
    );
  }
  if (typeof input !== 'object' || input === null) return Object.is(output, input);
  return Object.entries(input).every(
    ([key, one]) => Object.hasOwn(output as object, key) && keeps((output as never)[key], one),
  );
}
