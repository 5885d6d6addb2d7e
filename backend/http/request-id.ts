import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';

const HEADER = 'X-Request-Id';
const WELL_FORMED = /^[\w.:-]{1,128}$/;

/**
 * Gives a request an id that its answer and its log lines carry: the one the host has set on the
 * answer, else the client's own when it is well formed, else a new one.
 */
export function assignRequestId(request: IncomingMessage, response: ServerResponse): void {
  if (response.hasHeader(HEADER)) return;
  const given = request.headers['x-request-id'];
  const isUsable = typeof given === 'string' && WELL_FORMED.test(given);
  response.setHeader(HEADER, isUsable ? given : randomUUID());
}

/** {@link assignRequestId} for what comes through Express. */
export const requestIds: RequestHandler = (request, response, next) => {
  assignRequestId(request, response);
  next();
};

/** Of a request that was given one. */
export function requestIdOf(response: ServerResponse): string {
  const id = response.getHeader(HEADER);
  return typeof id === 'string' ? id : '';
}
