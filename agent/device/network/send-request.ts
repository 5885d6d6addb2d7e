/** One HTTP request, on Node's own client: undici took a quarter of the agent's memory. */
import {
  type Agent,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as requestHttp,
} from 'node:http';
import { request as requestHttps } from 'node:https';

export interface OutgoingRequest {
  method: 'GET' | 'POST';
  url: URL;
  headers: OutgoingHttpHeaders;
  body?: string;
  /** `false`: a connection for this request only. */
  connections: Agent | false;
  /** How long the server may send nothing, neither headers nor body. */
  silenceMs: number;
  signal: AbortSignal;
}

/**
 * Resolves with the headers; the body is still to be read or discarded. Redirects are not followed.
 */
export function sendRequest(job: OutgoingRequest): Promise<IncomingMessage> {
  const { method, url, headers, body, connections: agent, silenceMs, signal } = job;
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? requestHttps : requestHttp;
    const outgoing = request(url, { method, headers, agent, timeout: silenceMs, signal });
    let answer: IncomingMessage | null = null;
    outgoing.on('response', (incoming: IncomingMessage) => {
      answer = incoming;
      resolve(incoming);
    });
    outgoing.on('timeout', () => {
      // With unread data the reader is slow, not the server: a bandwidth limit, for example.
      const unread = answer !== null && answer.readableLength > 0;
      // Connecting has a limit of its own.
      if (unread || outgoing.socket?.connecting) outgoing.setTimeout(silenceMs);
      else
        (answer ?? outgoing).destroy(new Error(`nothing arrived for ${silenceMs / 1000} seconds`));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Closes the connection of an answer whose body is not needed. */
export function discardBody(answer: IncomingMessage): void {
  answer.on('error', () => undefined);
  answer.destroy();
}
