import express, { type RequestHandler } from 'express';
import { DomainError } from '../kernel/errors.ts';

/**
 * Parses a JSON body of at most `limit` bytes. A body of another type is refused with 415 instead of
 * being taken for an empty one; no body at all is an empty object.
 */
export function jsonBody(limit: number): RequestHandler[] {
  return [refuseOtherTypes, express.json({ limit, strict: true }), emptyBody];
}

const refuseOtherTypes: RequestHandler = (request, _response, next) => {
  const hasBody =
    request.headers['transfer-encoding'] !== undefined ||
    Number(request.headers['content-length'] ?? 0) > 0;
  if (hasBody && !request.is('json')) {
    throw new DomainError(
      'unsupported_media_type',
      'Send the body as JSON, with "Content-Type: application/json".',
    );
  }
  next();
};

const emptyBody: RequestHandler = (request, _response, next) => {
  request.body ??= {};
  next();
};
