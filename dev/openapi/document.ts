/** The OpenAPI 3.1 document of both areas. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { PROBLEMS, type ProblemCode } from '../../backend/contract/problem.ts';
import { AREA_PATHS } from '../host/host-context.ts';
import { COMPONENTS, answerSchemas } from './answer-schemas.ts';
import { COMMON_PROBLEMS, OPERATIONS, type Area, type Operation } from './operations.ts';
import { requestSchema, type JsonSchema } from './request-schema.ts';

const AREAS: readonly Area[] = ['admin', 'device'];
/** What the guards of an area want; named as in `components.securitySchemes`. */
const SECURITY: Record<Area, string> = { admin: 'adminToken', device: 'deviceToken' };
const UUID: JsonSchema = { $ref: `${COMPONENTS}Uuid` };

export interface OpenApiDocument {
  openapi: '3.1.0';
  paths: Record<string, Record<string, JsonSchema>>;
  components: { schemas: Record<string, JsonSchema> } & JsonSchema;
  [key: string]: unknown;
}

export async function openApiDocument(): Promise<OpenApiDocument> {
  const packageFile = path.resolve(import.meta.dirname, '../../package.json');
  const { version, license } = JSON.parse(await readFile(packageFile, 'utf8')) as {
    version: string;
    license: string;
  };
  return {
    openapi: '3.1.0',
    info: {
      title: 'OTA deployments for Ops-Center',
      version,
      description:
        'Over-the-air updates for fleets of edge devices: one area for admins, one for devices. ' +
        'Every error is application/problem+json with a stable code.',
      license: { name: license, identifier: license },
    },
    servers: [{ url: '/', description: 'The Ops-Center that runs the plugin' }],
    tags: [
      { name: 'admin', description: "Admins; everything is limited to the caller's organization" },
      { name: 'device', description: 'Devices; the token says which one speaks' },
    ],
    paths: paths(),
    components: {
      securitySchemes: {
        adminToken: {
          type: 'http',
          scheme: 'bearer',
          description: 'A token or session of an admin',
        },
        deviceToken: {
          type: 'http',
          scheme: 'bearer',
          description: 'What a device got when it was registered',
        },
      },
      responses: problemAnswers(),
      schemas: answerSchemas(answerTypes()),
    },
  };
}

/** The path of a route as OpenAPI writes it. */
export function documentedPath(area: Area, path: string): string {
  return AREA_PATHS[area] + path.replaceAll(/:(\w+)/g, '{$1}');
}

function answerTypes(): string[] {
  const named = AREAS.flatMap((area) =>
    Object.values(OPERATIONS[area]).map(({ answer }) => answer),
  ).filter((answer) => !['events', 'document', 'nothing'].includes(answer));
  return [...new Set([...named, 'Problem', 'StreamEvent', 'Uuid'])];
}

function paths(): OpenApiDocument['paths'] {
  const result: OpenApiDocument['paths'] = {};
  for (const area of AREAS) {
    for (const [route, operation] of Object.entries(OPERATIONS[area])) {
      const [method = '', path = ''] = route.split(' ');
      const item = (result[documentedPath(area, path)] ??= {});
      item[method] = described(area, path, operation);
    }
  }
  return result;
}

function described(area: Area, path: string, operation: Operation): JsonSchema {
  const { id, summary, body, example } = operation;
  const parameters = [
    ...pathParameters(path),
    ...queryParameters(operation),
    ...headerParameters(operation),
  ];
  const problems = Object.fromEntries(
    [...problemsOf(area, operation)].map(([status, codes]) => [
      status,
      { $ref: `#/components/responses/${nameOf(codes)}` },
    ]),
  );
  return {
    operationId: id,
    summary,
    tags: [area],
    security: [{ [SECURITY[area]]: [] }],
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: requestBody(requestSchema(body), example) }),
    responses: {
      [operation.status ?? 200]: answer(operation),
      ...problems,
    },
  };
}

function pathParameters(path: string): JsonSchema[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: UUID,
  }));
}

function queryParameters({ query }: Operation): JsonSchema[] {
  if (!query) return [];
  const { properties = {}, required = [] } = requestSchema(query) as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }));
}

function headerParameters({ headers = {} }: Operation): JsonSchema[] {
  return Object.entries(headers).map(([name, description]) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]+$' },
  }));
}

/** No body is as good as an empty object. */
function requestBody(schema: JsonSchema, example?: object): JsonSchema {
  return {
    required: Array.isArray(schema.required),
    content: { 'application/json': { schema, ...(example && { example }) } },
  };
}

function answer({ answer, summary }: Operation): JsonSchema {
  if (answer === 'events') {
    return {
      description:
        'Server-sent events. The name of an event is the `type` of a StreamEvent, its data the JSON ' +
        'of the rest. `Last-Event-ID` goes on where a stream was cut off.',
      content: { 'text/event-stream': { schema: { type: 'string' } } },
    };
  }
  if (answer === 'nothing') return { description: summary };
  const schema = answer === 'document' ? { type: 'object' } : { $ref: `${COMPONENTS}${answer}` };
  return { description: summary, content: { 'application/json': { schema } } };
}

function problemsOf(area: Area, { problems = [] }: Operation): Map<number, ProblemCode[]> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of [...COMMON_PROBLEMS[area], ...problems]) {
    const { status } = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return byStatus;
}

/** Routes that can answer the same codes share the answer. */
const nameOf = (codes: readonly ProblemCode[]): string => codes.join('_or_');

function problemAnswers(): Record<string, JsonSchema> {
  const answers: Record<string, JsonSchema> = {};
  for (const area of AREAS) {
    for (const operation of Object.values(OPERATIONS[area])) {
      for (const [status, codes] of problemsOf(area, operation)) {
        answers[nameOf(codes)] = problemAnswer(status, codes);
      }
    }
  }
  return answers;
}

function problemAnswer(status: number, codes: readonly ProblemCode[]): JsonSchema {
  const schema = {
    allOf: [
      { $ref: `${COMPONENTS}Problem` },
      { type: 'object', properties: { status: { const: status }, code: { enum: codes } } },
    ],
  };
  return {
    description: codes.map((code) => PROBLEMS[code].title).join('; '),
    ...((status === 429 || status === 503) && { headers: RETRY_AFTER }),
    content: { 'application/problem+json': { schema } },
  };
}

const RETRY_AFTER = {
  'Retry-After': {
    description: 'Seconds after which trying again makes sense',
    required: true,
    schema: { type: 'integer', minimum: 1 },
  },
};
