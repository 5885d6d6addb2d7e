/**
 * Holds every answer that the product gives to a test to the OpenAPI document, whoever asked and by
 * whatever server of this process: Node tells of each request by a diagnostics channel.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Server } from 'node:net';

import { ApiDocument } from './api-document.ts';

/** What Express adds to a request: `app` at once, `route` when one of its routes takes it. */
type ServedRequest = IncomingMessage & { app?: unknown; route?: unknown };

const METHODS = new Set(['GET', 'POST', 'DELETE']);
const CHANNEL = 'http.server.request.start';
const PROBLEM_OF_THE_PRODUCT = '"type":"urn:ota:problem:';

let document: ApiDocument | undefined;
let checked = 0;
let wrong: string[] = [];
const others = new WeakSet<Server>();

/** From now on. The test that asked gets a wrong answer as a 500 that says what is wrong with it. */
export function checkAnswers(): void {
  subscribe(CHANNEL, onRequest);
}

/** The wrong answers since the last call. Those that nobody takes fail the run. */
export function takeWrongAnswers(): string[] {
  const taken = wrong;
  wrong = [];
  return taken;
}

export function checkedAnswers(): number {
  return checked;
}

/** For a server that stands for the product and answers wrongly on purpose. */
export function leaveUnchecked(server: Server): void {
  others.add(server);
}

export function stopCheckingAnswers(): void {
  unsubscribe(CHANNEL, onRequest);
}

function onRequest(message: unknown): void {
  const { request, response, server } = message as {
    request: ServedRequest;
    response: ServerResponse;
    server: Server;
  };
  const path = (request.url ?? '').split('?')[0] ?? '';
  if (!/^\/api\/v1\/(?:admin\/)?ota\//.test(path) || others.has(server)) return;
  document ??= new ApiDocument();
  const chunks: Buffer[] = [];
  const { writeHead, write, end } = response;

  // Headers given with the status could neither be read nor taken back; set, they go out a little later.
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
    keep(args);
    return write.apply(this, args);
  } as typeof write;
  response.end = function (this: ServerResponse, ...args: Parameters<typeof end>) {
    keep(args);
    const fault = faultOf(path, request, response, Buffer.concat(chunks).toString());
    if (fault === null) return end.apply(this, args);
    wrong.push(fault);
    if (response.headersSent) return end.apply(this, args);
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    response.statusCode = 500;
    return end.call(this, fault, 'utf8');
  } as typeof end;

  function keep([chunk, encoding]: unknown[]): void {
    if (typeof chunk === 'string') chunks.push(Buffer.from(chunk, encoding as BufferEncoding));
    else if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
  }
}

function faultOf(
  path: string,
  request: ServedRequest,
  response: ServerResponse,
  body: string,
): string | null {
  const { method = '' } = request;
  const status = response.statusCode;
  if (!METHODS.has(method) || status === 304) return null;
  // The rest is the host's: there is nobody here, or it did not let the request in.
  const isAnswered = request.route !== undefined || !('app' in request);
  const isOurs = (isAnswered && document?.knows(path)) || body.includes(PROBLEM_OF_THE_PRODUCT);
  if (!isOurs) return null;
  checked += 1;
  const headers = response.getHeaders();
  const fault = document?.faultOf({
    method,
    path,
    status,
    type: String(headers['content-type'] ?? '').split(';')[0] ?? '',
    headers,
    body,
  });
  return fault ? `Not as documented: ${method} ${path} ${status}: ${fault}\n${body}` : null;
}
