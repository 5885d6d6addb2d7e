/** Builds the OpenAPI 3.1 document of both areas. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { PROBLEMS, type ProblemCode } from '../../backend/contract/problem.ts';
import { AREA_PATHS } from '../../backend/server/host/host-context.ts';
import { COMMON_PROBLEMS, OPERATIONS, type Area, type Operation } from './operations.ts';
import { requestSchema, type JsonSchema } from './request-schema.ts';
import { COMPONENTS, responseSchemas } from './response-schemas.ts';

const AREAS: readonly Area[] = ['admin', 'device'];
/** Key in `components.securitySchemes`. */
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
    servers: [{ url: '/', description: 'The Ops-Center with the plugin' }],
    tags: [
      { name: 'admin', description: "Routes for admins, limited to the caller's organization" },
      { name: 'device', description: 'Routes for devices; the token identifies the device' },
    ],
    paths: paths(),
    components: {
      securitySchemes: {
        adminToken: {
          type: 'http',
          scheme: 'bearer',
          description: 'Token of an admin; a session cookie works too',
        },
        deviceToken: {
          type: 'http',
          scheme: 'bearer',
          description: 'Token that the device received at registration',
        },
      },
      responses: problemResponses(),
      schemas: responseSchemas(responseTypes()),
    },
  };
}

/** The path of a route in OpenAPI syntax, e.g. `/api/v1/ota/deployments/{id}/status`. */
export function documentedPath(area: Area, path: string): string {
  return AREA_PATHS[area] + path.replaceAll(/:(\w+)/g, '{$1}');
}

function responseTypes(): string[] {
  const named = AREAS.flatMap((area) =>
    Object.values(OPERATIONS[area]).map(({ response }) => response),
  ).filter((response) => !['events', 'document', 'nothing'].includes(response));
  return [...new Set([...named, 'Problem', 'StreamEvent', 'Uuid'])];
}

function paths(): OpenApiDocument['paths'] {
  const result: OpenApiDocument['paths'] = {};
  for (const area of AREAS) {
    for (const [route, operation] of Object.entries(OPERATIONS[area])) {
      const [method = '', path = ''] = route.split(' ');
      const item = (result[documentedPath(area, path)] ??= {});
      item[method] = operationObject(area, path, operation);
    }
  }
  return result;
}

function operationObject(area: Area, path: string, operation: Operation): JsonSchema {
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
      [operation.status ?? 200]: successResponse(operation),
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

/** The body is only required if it has required properties. */
function requestBody(schema: JsonSchema, example?: object): JsonSchema {
  return {
    required: Array.isArray(schema.required),
    content: { 'application/json': { schema, ...(example && { example }) } },
  };
}

function successResponse({ response, summary }: Operation): JsonSchema {
  if (response === 'events') {
    return {
      description:
        'Server-sent events. The event name is the `type` of a StreamEvent; the data is the rest of ' +
        'it as JSON. `Last-Event-ID` resumes an interrupted stream.',
      content: { 'text/event-stream': { schema: { type: 'string' } } },
    };
  }
  if (response === 'nothing') return { description: summary };
  const schema =
    response === 'document' ? { type: 'object' } : { $ref: `${COMPONENTS}${response}` };
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

/** Routes with the same codes share a response. */
const nameOf = (codes: readonly ProblemCode[]): string => codes.join('_or_');

function problemResponses(): Record<string, JsonSchema> {
  const responses: Record<string, JsonSchema> = {};
  for (const area of AREAS) {
    for (const operation of Object.values(OPERATIONS[area])) {
      for (const [status, codes] of problemsOf(area, operation)) {
        responses[nameOf(codes)] = problemResponse(status, codes);
      }
    }
  }
  return responses;
}

function problemResponse(status: number, codes: readonly ProblemCode[]): JsonSchema {
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
    description: 'Seconds to wait before a retry',
    required: true,
    schema: { type: 'integer', minimum: 1 },
  },
};
