import type { IncomingMessage, ServerResponse } from 'node:http';
import express, { type Request, type RequestHandler, type Response } from 'express';
import typeIs from 'type-is';
import { DomainError } from '../kernel/errors.ts';

/**
 * Parses a JSON body of at most `limit` bytes; a missing body becomes `{}`. A body of another type is a 415, because
 * `express.json` alone would treat it as missing.
 */
export function jsonBody(limit: number): RequestHandler[] {
  return [rejectOtherTypes, express.json({ limit, strict: true }), emptyBody];
}

export type JsonReader = (request: IncomingMessage, response: ServerResponse) => Promise<unknown>;

/** Like {@link jsonBody}, for requests that do not pass through Express. */
export function jsonReader(limit: number): JsonReader {
  const parse = express.json({ limit, strict: true });
  return async (request, response) => {
    requireJson(request);
    await new Promise<void>((resolve, reject) => {
      // The parser uses nothing that Express adds to Node's request and response.
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
