import type { ServerResponse } from 'node:http';

/**
 * Sends an answer in one piece, over Express or without it. No ETag: nobody asks for the same answer
 * twice, and hashing each one would cost a fifth of a poll.
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
