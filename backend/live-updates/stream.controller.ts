import type { Request, Response } from 'express';
import { inject, injectable } from 'inversify';
import type { StreamEvent } from '../contract/admin-api.ts';
import { DeploymentQueries } from '../deployments/reading/deployment-queries.service.ts';
import { adminOf } from '../http/guards.ts';
import { pathId } from '../http/path-id.ts';
import { validate } from '../http/validate.ts';
import { EventStreams, type StreamClient } from './event-streams.ts';
import { streamQuerySchema } from './stream.schema.ts';

const RECONNECT_MS = 2_000;
/** Clients reconnect after two intervals without an event. */
const HEARTBEAT_MS = 15_000;
/** A stream ends after this time; the browser reconnects and is authenticated again. */
const LIFETIME_MS = 10 * 60_000;
/** A client that does not read its stream is disconnected at this limit. */
const MAX_BUFFERED_BYTES = 1024 * 1024;

/** Server-sent events (WHATWG HTML, section 9.2). */
@injectable()
export class StreamController {
  constructor(
    @inject(EventStreams) private readonly streams: EventStreams,
    @inject(DeploymentQueries) private readonly queries: DeploymentQueries,
  ) {}

  organization = async (request: Request, response: Response): Promise<void> => {
    const { detail } = validate(streamQuerySchema, request.query);
    const detailed = new Set(detail?.toLowerCase().split(','));
    await this.#open(request, response, { everything: true, detailed });
  };

  deployment = async (request: Request, response: Response): Promise<void> => {
    const id = pathId(request.params['id'], 'This deployment');
    await this.queries.find(adminOf(request).organizationId, id);
    await this.#open(request, response, { everything: false, detailed: new Set([id]) });
  };

  async #open(
    request: Request,
    response: Response,
    watched: Pick<StreamClient, 'everything' | 'detailed'>,
  ): Promise<void> {
    // The client disconnected during the lookup, and `close` is not emitted again.
    if (response.closed) return;
    response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    response.write(`retry: ${RECONNECT_MS}\n\n`);
    // Without heartbeats, clients poll instead. That is better than a stream that misses changes.
    const heartbeat = setInterval(() => {
      if (this.streams.isLive) sendHeartbeat(response);
    }, HEARTBEAT_MS);
    const lifetime = setTimeout(() => response.end(), LIFETIME_MS);
    let remove: () => void = () => undefined;
    const closed = new Promise<void>((resolve) => {
      response.on('close', () => {
        clearInterval(heartbeat);
        clearTimeout(lifetime);
        remove();
        resolve();
      });
    });
    remove = await this.streams.add(
      {
        organizationId: adminOf(request).organizationId,
        ...watched,
        send: (id, events) => send(response, id, events),
        end: () => response.end(),
      },
      request.get('Last-Event-ID') ?? null,
    );
    if (response.closed) remove();
    await closed;
  }
}

function send(response: Response, id: string, events: StreamEvent[]): void {
  if (response.writableEnded) return;
  for (const { type, ...data } of events) {
    response.write(`id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
  }
  if (response.writableLength > MAX_BUFFERED_BYTES) response.destroy();
}

/** Has no id, so that a reconnecting client continues after the last change. */
function sendHeartbeat(response: Response): void {
  const data = JSON.stringify({ at: new Date().toISOString() });
  response.write(`event: heartbeat\ndata: ${data}\n\n`);
}
