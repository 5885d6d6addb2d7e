import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';

const HEADER = 'X-Request-Id';
const WELL_FORMED = /^[\w.:-]{1,128}$/;

/**
 * Sets the request id on the response, from where log lines take it: the id that the host has already set, otherwise
 * the client's own if it is well formed, otherwise a new one.
 */
export function assignRequestId(request: IncomingMessage, response: ServerResponse): void {
  if (response.hasHeader(HEADER)) return;
  const given = request.headers['x-request-id'];
  const isUsable = typeof given === 'string' && WELL_FORMED.test(given);
  response.setHeader(HEADER, isUsable ? given : randomUUID());
}

/** {@link assignRequestId} as Express middleware. */
export const requestIds: RequestHandler = (request, response, next) => {
  assignRequestId(request, response);
  next();
};

/** The id that {@link assignRequestId} set; empty if it has not run. */
export function requestIdOf(response: ServerResponse): string {
  const id = response.getHeader(HEADER);
  return typeof id === 'string' ? id : '';
}
