/**
 * Checks every response of the product against the OpenAPI document, for every client and every server
 * in this process. A diagnostics channel of Node reports each request.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Server } from 'node:net';

import { ApiDocument } from './api-document.ts';

/** Express adds `app` to every request, and `route` when a route matches. */
type ServedRequest = IncomingMessage & { app?: unknown; route?: unknown };

const METHODS = new Set(['GET', 'POST', 'DELETE']);
const CHANNEL = 'http.server.request.start';
const PRODUCT_PROBLEM = '"type":"urn:ota:problem:';

let document: ApiDocument | undefined;
let checked = 0;
let undocumented: string[] = [];
const exempted = new WeakSet<Server>();

/** Starts the checks. Instead of an undocumented response, the client gets a 500 with the reason. */
export function checkResponses(): void {
  subscribe(CHANNEL, onRequest);
}

/** The undocumented responses since the last call. Any that no test takes fail the run. */
export function takeUndocumented(): string[] {
  const result = undocumented;
  undocumented = [];
  return result;
}

/** How many responses were checked. */
export function checkedResponses(): number {
  return checked;
}

/** For a server that imitates the product and responds incorrectly on purpose. */
export function exemptFromChecks(server: Server): void {
  exempted.add(server);
}

export function stopCheckingResponses(): void {
  unsubscribe(CHANNEL, onRequest);
}

function onRequest(message: unknown): void {
  const { request, response, server } = message as {
    request: ServedRequest;
    response: ServerResponse;
    server: Server;
  };
  const path = (request.url ?? '').split('?')[0] ?? '';
  if (!/^\/api\/v1\/(?:admin\/)?ota\//.test(path) || exempted.has(server)) return;
  document ??= new ApiDocument();
  const chunks: Buffer[] = [];
  const { writeHead, write, end } = response;

  // Headers passed to `writeHead` could not be read or removed later, so they are set instead.
  response.writeHead = ((status: number, ...rest: unknown[]) => {
    const headers = rest.at(-1);
    if (typeof headers !== 'object' || headers === null) {
      return writeHead.apply(response, [status, ...rest] as Parameters<typeof writeHead>);
    }
    response.statusCode = status;
    for (const [name, value] of Object.entries(headers as OutgoingHttpHeaders)) {
      if (value !== undefined) response.setHeader(name, value);
    }
    return response;
  }) as typeof writeHead;
  response.write = function (this: ServerResponse, ...args: Parameters<typeof write>) {
    record(args);
    return write.apply(this, args);
  } as typeof write;
  response.end = function (this: ServerResponse, ...args: Parameters<typeof end>) {
    record(args);
    const violation = violationIn(path, request, response, Buffer.concat(chunks).toString());
    if (violation === null) return end.apply(this, args);
    undocumented.push(violation);
    if (response.headersSent) return end.apply(this, args);
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    response.statusCode = 500;
    return end.call(this, violation, 'utf8');
  } as typeof end;

  function record([chunk, encoding]: unknown[]): void {
    if (typeof chunk === 'string') chunks.push(Buffer.from(chunk, encoding as BufferEncoding));
    else if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
  }
}

function violationIn(
  path: string,
  request: ServedRequest,
  response: ServerResponse,
  body: string,
): string | null {
  const { method = '' } = request;
  const status = response.statusCode;
  if (!METHODS.has(method) || status === 304) return null;
  // Other responses come from the host: no route matched, or it rejected the request.
  const isRouted = request.route !== undefined || !('app' in request);
  const isProduct = (isRouted && document?.hasPath(path)) || body.includes(PRODUCT_PROBLEM);
  if (!isProduct) return null;
  checked += 1;
  const headers = response.getHeaders();
  const violation = document?.violationIn({
    method,
    path,
    status,
    type: String(headers['content-type'] ?? '').split(';')[0] ?? '',
    headers,
    body,
  });
  return violation ? `Not as documented: ${method} ${path} ${status}: ${violation}\n${body}` : null;
}
