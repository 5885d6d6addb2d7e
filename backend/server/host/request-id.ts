import { randomUUID } from 'node:crypto';

import type { RequestHandler } from 'express';

const HEADER = 'X-Request-Id';
const WELL_FORMED = /^[\w.:-]{1,128}$/;

/** Gives every request an id: the client's if it is well-formed, otherwise a new one. Plugins use it too. */
export const requestIds: RequestHandler = (request, response, next) => {
  const given = request.get(HEADER);
  response.set(HEADER, given !== undefined && WELL_FORMED.test(given) ? given : randomUUID());
  next();
};
