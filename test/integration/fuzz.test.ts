/** Calls every route with inputs generated from its schema and with hostile ones. */
import { expect } from 'chai';
import fc from 'fast-check';
import { Agent, request, type Dispatcher } from 'undici';

import { emptySchema } from '../../backend/deployments/control/control.schema.ts';
import { OPERATIONS, type Operation } from '../../dev/openapi/operations.ts';
import { ApiDocument } from '../support/api-document.ts';
import { arbitraryOf, nearlyValid } from '../support/joi-arbitraries.ts';
import {
  ADMIN_API,
  DEVICE_API,
  createFleet,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

const REQUESTS_PER_ROUTE = Number(process.env.OTA_FUZZ_REQUESTS ?? 500);
const RESPONSE_LIMIT_MS = 10_000;
/** Internals that must not leak: stacks, SQL, file paths. */
const INTERNALS =
  /\n\s+at |node_modules|SELECT |INSERT |UPDATE |relation "|syntax error|invalid input|\/backend\/|\.ts:\d/;

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** A lone surrogate cannot be sent as UTF-8, and its meaning in JSON is undefined (RFC 8259, 8.2). */
const LONE_SURROGATE = /\\ud[89a-f]/i;

describe('F57 F58 fuzzed requests', function () {
  this.timeout(120_000);

  let ota: OtaServer;
  let fleet: Fleet;
  let ids: string[];
  const connections = new Agent({ connections: 8 });
  const statuses = new Map<number, number>();
  const document = new ApiDocument();

  before(async () => {
    ota = await startOta({ config: { device_requests_per_minute: 100_000 } });
    fleet = await createFleet(ota, 5, { firmwareVersion: 'v1.9.0' });
    ids = [
      await fleet.rollOut(),
      await fleet.rollOut({ rollout_strategy: 'canary', rollout_percentage: 20 }),
      (await fleet.create({ rollout_strategy: 'rolling', batch_size: 1 })).deployment_id,
    ];
  });

  after(async () => {
    await connections.close();
    await ota.close();
    const counts = [...statuses].sort().map(([status, count]) => `${status}: ${count}`);
    const total = [...statuses.values()].reduce((sum, count) => sum + count, 0);
    console.log(`    ${total} fuzzed requests (${counts.join(', ')})`);
  });

  for (const area of ['admin', 'device'] as const) {
    for (const [route, operation] of Object.entries(OPERATIONS[area])) {
      it(`${route} responds without a 5xx or internals and accepts documented input`, async () => {
        const isDocumented = document.requestValidator(area, route);
        const deviceIds = fleet.devices.map((device) => device.id);
        await fc.assert(
          fc.asyncProperty(
            fc.record({
              id: idArbitrary(ids),
              deviceId: idArbitrary(deviceIds),
              ownDevice: fc.nat(9).map((digit) => digit > 0),
              query: arbitraryOf(operation.query ?? emptySchema, [...ids, ...deviceIds]),
              body: bodyArbitrary(operation, [...ids, ...deviceIds]),
            }),
            (input) => expectCleanResponse(area, route, isDocumented, input),
          ),
          { numRuns: REQUESTS_PER_ROUTE, interruptAfterTimeLimit: 100_000 },
        );
      });
    }
  }

  async function expectCleanResponse(
    area: 'admin' | 'device',
    route: string,
    isDocumented: ReturnType<ApiDocument['requestValidator']>,
    input: Input,
  ) {
    const [method = '', path = ''] = route.split(' ');
    const filled = path.replace(':id', input.id).replace(':device_id', input.deviceId);
    const base = area === 'admin' ? ADMIN_API : DEVICE_API;
    const query = toQuery(input.query);
    if (area === 'device' && input.ownDevice) query.set('device_id', fleet.device.id);
    const bearer = area === 'admin' ? fleet.admin : fleet.device;
    const answer = await request(`${ota.host.baseUrl}${base}${filled}?${query}`, {
      dispatcher: connections,
      method: method.toUpperCase() as Dispatcher.HttpMethod,
      headers: {
        authorization: `Bearer ${bearer.token}`,
        ...(method === 'post' && { 'content-type': 'application/json' }),
      },
      ...(method === 'post' && { body: input.body }),
      headersTimeout: RESPONSE_LIMIT_MS,
      bodyTimeout: RESPONSE_LIMIT_MS,
    });
    const { statusCode: status, headers } = answer;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (headers['content-type'] === 'text/event-stream; charset=utf-8') {
      answer.body.destroy();
      return;
    }
    const text = await answer.body.text();
    expect(status, text).to.be.below(500);
    expect(headers).not.to.have.property('x-injected');
    const parsed = JSON.parse(text) as { code?: string; detail?: string };
    if (status < 400) return;
    if (status === 400 && UUID.test(input.id) && UUID.test(input.deviceId)) {
      const body = method === 'post' ? parsedBody(input.body) : {};
      const allowed = body !== undefined && isDocumented(query, body);
      // The document cannot express that an attempt is in the future.
      if (allowed && !text.includes('the current attempt is')) {
        expect.fail(`${text} to ${query} ${input.body}`);
      }
    }
    expect(headers['content-type']).to.include('application/problem+json');
    expect(parsed.code).to.be.a('string');
    expect(withoutInput(text, input)).not.to.match(INTERNALS);
  }
});

interface Input {
  id: string;
  deviceId: string;
  /** The query contains the device's own id, which is required. */
  ownDevice: boolean;
  query: unknown;
  body: string;
}

/** Encoded for a path. */
function idArbitrary(known: string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...known) },
    { weight: 1, arbitrary: fc.uuid() },
    {
      weight: 1,
      arbitrary: fc.string({ minLength: 1, maxLength: 40 }).map((text) => encodeURIComponent(text)),
    },
    { weight: 1, arbitrary: fc.constantFrom('%00', '%ff', '%', '..%2f..', `'%20OR%201=1--`) },
  );
}

/** `undefined` if it has no defined meaning. */
function parsedBody(text: string): unknown {
  if (LONE_SURROGATE.test(text)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function bodyArbitrary(
  { body = emptySchema, example = {} }: Operation,
  ids: string[],
): fc.Arbitrary<string> {
  const made = arbitraryOf(body, ids);
  const nearly = nearlyValid(body, example, ids);
  return fc.oneof(
    { weight: 8, arbitrary: made.map((value) => JSON.stringify(value)) },
    { weight: 8, arbitrary: nearly.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.string() },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '',
        '{',
        'null',
        '[]',
        '{"a":'.repeat(5_000),
        `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
        '{"__proto__": {"isAdmin": true}}',
      ),
    },
  );
}

function toQuery(value: unknown): URLSearchParams {
  const query = new URLSearchParams();
  if (typeof value !== 'object' || value === null) return query;
  for (const [key, part] of Object.entries(value)) {
    if (Array.isArray(part)) for (const one of part) query.append(key, textOf(one));
    else if (typeof part === 'object' && part !== null) {
      for (const [inner, one] of Object.entries(part))
        query.append(`${key}[${inner}]`, textOf(one));
    } else query.append(key, textOf(part));
  }
  return query;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

/** A response may repeat its input. */
function withoutInput(text: string, { id, deviceId, query, body }: Input): string {
  const parts = [id, deviceId, JSON.stringify(query), body].flatMap((part) => part.split(/["\\]/));
  return parts
    .filter((part) => part.length > 3)
    .reduce((rest, part) => rest.replaceAll(part, ''), text);
}
