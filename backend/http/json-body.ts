import type { IncomingMessage, ServerResponse } from 'node:http';
import express, { type Request, type RequestHandler, type Response } from 'express';
import typeIs from 'type-is';
import { DomainError } from '../kernel/errors.ts';

/**
 * Parses a JSON body of at most `limit` bytes. A body of another type is refused with 415 instead of
 * being taken for an empty one; no body at all is an empty object.
 */
export function jsonBody(limit: number): RequestHandler[] {
  return [rejectOtherTypes, express.json({ limit, strict: true }), emptyBody];
}

export type JsonReader = (request: IncomingMessage, response: ServerResponse) => Promise<unknown>;

/** The same for requests that do not come through Express. */
export function jsonReader(limit: number): JsonReader {
  const parse = express.json({ limit, strict: true });
  return async (request, response) => {
    requireJson(request);
    await new Promise<void>((resolve, reject) => {
      // The parser needs nothing that Express adds to Node's own messages.
      parse(request as Request, response as Response, (error?: unknown) => {
        if (error) reject(error as Error);
        else resolve();
      });
    });
    return ((request as Request).body as unknown) ?? {};
  };
}

const rejectOtherTypes: RequestHandler = (request, _response, next) => {
  requireJson(request);
  next();
};

function requireJson(request: IncomingMessage): void {
  const hasBody =
    request.headers['transfer-encoding'] !== undefined ||
    Number(request.headers['content-length'] ?? 0) > 0;
  if (hasBody && !typeIs(request, ['json'])) {
    throw new DomainError(
      'unsupported_media_type',
      'Send the body as JSON, with "Content-Type: application/json".',
    );
  }
}

const emptyBody: RequestHandler = (request, _response, next) => {
  request.body ??= {};
  next();
};
