import type { ServerResponse } from 'node:http';

/**
 * Sends a JSON response, with or without Express. It has no ETag: responses may not be stored, and computing the hash
 * would take a fifth of the time of a poll.
 */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  contentType = 'application/json; charset=utf-8',
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
  });
  response.end(text);
}
