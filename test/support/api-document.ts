/** Validates requests and responses against the published OpenAPI document. */
import { readFileSync } from 'node:fs';

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

import type { Area } from '../../dev/openapi/operations.ts';
import { documentedPath, type OpenApiDocument } from '../../dev/openapi/document.ts';
import type { JsonSchema } from '../../dev/openapi/request-schema.ts';

const FILE = new URL('../../docs/openapi.json', import.meta.url);

interface DocumentedResponse {
  headers?: Record<string, { required?: boolean }>;
  /** Absent if the response has no body. */
  content?: Record<string, unknown>;
}

interface DocumentedRequest {
  requestBody?: object;
  parameters?: { in: string; name: string; required: boolean }[];
}

export interface ApiResponse {
  method: string;
  /** Without the query string. */
  path: string;
  status: number;
  /** Media type without parameters. */
  type: string;
  headers: NodeJS.Dict<unknown>;
  body: string;
}

export class ApiDocument {
  readonly document: OpenApiDocument;
  readonly #ajv = new Ajv2020({ allErrors: true, strict: false });
  readonly #templates: { template: string; pattern: RegExp }[];

  constructor(document = JSON.parse(readFileSync(FILE, 'utf8')) as OpenApiDocument) {
    this.document = document;
    addFormats.default(this.#ajv);
    // Clients must ignore unknown fields, but the server must only send documented ones.
    this.#ajv.addSchema(closed(document) as JsonSchema, 'responses');
    this.#ajv.addSchema(document as unknown as JsonSchema, 'requests');
    this.#templates = Object.keys(document.paths)
      .sort((one, other) => one.split('{').length - other.split('{').length)
      .map((template) => ({
        template,
        pattern: new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}/?$`, 'i'),
      }));
  }

  /** Whether the document has a route with this path. */
  hasPath(path: string): boolean {
    return this.#templateOf(path) !== undefined;
  }

  /** Why a response is not as documented, or `null` if it is. */
  violationIn(response: ApiResponse): string | null {
    const template = this.#templateOf(response.path);
    const method = response.method.toLowerCase();
    if (template === undefined || !this.document.paths[template]?.[method]) {
      return this.#bodyViolation(pointer('components', 'schemas', 'Problem'), response);
    }
    const at = ['paths', template, method, 'responses', String(response.status)];
    const documented = this.#lookUp<DocumentedResponse>(at);
    if (!documented) return `status ${response.status} is not documented`;
    const { value, path } = documented;
    if (!value.content) return response.body === '' ? null : 'a body is not documented';
    if (!(response.type in value.content)) return `media type "${response.type}" is not documented`;
    for (const [name, header] of Object.entries(value.headers ?? {})) {
      if (header.required && response.headers[name.toLowerCase()] === undefined) {
        return `the header ${name} is missing`;
      }
    }
    if (response.type === 'text/event-stream') return this.#eventViolation(response.body);
    return this.#bodyViolation(pointer(...path, 'content', response.type, 'schema'), response);
  }

  /** Returns a check of bodies for a route. It accepts all if the document has no body for the route. */
  bodyValidator(area: Area, route: string): (body: unknown) => boolean {
    const [method = '', path = ''] = route.split(' ');
    const at = ['paths', documentedPath(area, path), method];
    if (!this.#lookUp<DocumentedRequest>(at)?.value.requestBody) return () => true;
    const schema = ['requestBody', 'content', 'application/json', 'schema'];
    const fits = this.#validator('requests', pointer(...at, ...schema));
    return (body) => fits(body);
  }

  /** Returns a check of requests for a route. */
  requestValidator(area: Area, route: string): (query: URLSearchParams, body: unknown) => boolean {
    const [method = '', path = ''] = route.split(' ');
    const at = ['paths', documentedPath(area, path), method];
    const { parameters = [] } = this.#lookUp<DocumentedRequest>(at)?.value ?? {};
    const validator = (...more: string[]) => this.#validator('requests', pointer(...at, ...more));
    const bodyFits = this.bodyValidator(area, route);
    const known = parameters
      .map((parameter, index) => ({ ...parameter, path: ['parameters', String(index), 'schema'] }))
      .filter((parameter) => parameter.in === 'query')
      .map((parameter) => ({ ...parameter, fits: validator(...parameter.path) }));
    return (query, body) =>
      bodyFits(body) &&
      [...query.keys()].every((name) => known.some((parameter) => parameter.name === name)) &&
      known.every(({ name, required, fits }) => {
        const [text, ...more] = query.getAll(name);
        if (text === undefined) return !required;
        return more.length === 0 && (fits(text) || (isNumber(text) && fits(Number(text))));
      });
  }

  #templateOf(path: string): string | undefined {
    return this.#templates.find(({ pattern }) => pattern.test(path))?.template;
  }

  /** Follows references to `components`. */
  #lookUp<T>(path: string[]): { value: T; path: string[] } | null {
    const value = path.reduce<unknown>(
      (part, key) => (part as Record<string, unknown> | undefined)?.[key],
      this.document,
    ) as (T & { $ref?: string }) | undefined;
    if (!value) return null;
    return value.$ref ? this.#lookUp(value.$ref.slice(2).split('/')) : { value, path };
  }

  #bodyViolation(at: string, { body }: ApiResponse): string | null {
    let value: unknown;
    try {
      value = JSON.parse(body);
    } catch {
      return 'the body is not JSON';
    }
    const fits = this.#validator('responses', at);
    return fits(value) ? null : this.#ajv.errorsText(fits.errors, { dataVar: 'body' });
  }

  #eventViolation(text: string): string | null {
    const fits = this.#validator('responses', pointer('components', 'schemas', 'StreamEvent'));
    for (const block of text.split('\n\n')) {
      const type = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (type === undefined || data === undefined) continue;
      if (!fits({ type, ...(JSON.parse(data) as object) })) {
        return `event "${type}": ${this.#ajv.errorsText(fits.errors, { dataVar: 'data' })}`;
      }
    }
    return null;
  }

  #validator(document: 'responses' | 'requests', at: string): ValidateFunction {
    return this.#ajv.getSchema(`${document}${at}`) as ValidateFunction;
  }
}

function pointer(...path: string[]): string {
  const escaped = path.map((part) =>
    encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')),
  );
  return `#/${escaped.join('/')}`;
}

function isNumber(text: string): boolean {
  return /^-?\d+$/.test(text);
}

/** The same schemas without additional properties. The parts of an `allOf` stay open. */
function closed(value: unknown, isPart = false): unknown {
  if (Array.isArray(value)) return value.map((one) => closed(one, isPart));
  if (typeof value !== 'object' || value === null) return value;
  const result: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) result[key] = closed(inner, key === 'allOf');
  if (!isPart && result.type === 'object' && 'properties' in result) {
    result.additionalProperties ??= false;
  }
  return result;
}
