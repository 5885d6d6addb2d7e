import { randomUUID } from 'node:crypto';
import type { RequestHandler, Response } from 'express';

const HEADER = 'X-Request-Id';
const WELL_FORMED = /^[\w.:-]{1,128}$/;

/**
 * Gives every request an id that its answer and its log lines carry: the one the host has set on the
 * answer, else the client's own when it is well formed, else a new one.
 */
export const requestIds: RequestHandler = (request, response, next) => {
  if (response.get(HEADER) === undefined) {
    const given = request.get(HEADER);
    response.set(HEADER, given !== undefined && WELL_FORMED.test(given) ? given : randomUUID());
  }
  next();
};

/** Of a request behind {@link requestIds}. */
export function requestIdOf(response: Response): string {
  return response.get(HEADER) ?? '';
}
