import type { Request, Response } from 'express';
import { inject, injectable } from 'inversify';
import type { StreamEvent } from '../contract/admin-api.ts';
import { DeploymentQueries } from '../deployments/deployment.queries.ts';
import { adminOf } from '../http/guards.ts';
import { pathId } from '../http/path-id.ts';
import { EventStreams } from './event-streams.ts';

const RECONNECT_MS = 2_000;
const KEEP_ALIVE_MS = 15_000;
/** A stream ends after this time; the browser comes back and is authenticated anew. */
const LIFETIME_MS = 10 * 60_000;
/** A client that does not read is cut off before it fills the memory. */
const MAX_BUFFERED_BYTES = 1024 * 1024;

/** Server-sent events (WHATWG HTML, section 9.2). */
@injectable()
export class StreamController {
  readonly #streams: EventStreams;
  readonly #queries: DeploymentQueries;

  constructor(
    @inject(EventStreams) streams: EventStreams,
    @inject(DeploymentQueries) queries: DeploymentQueries,
  ) {
    this.#streams = streams;
    this.#queries = queries;
  }

  organization = async (request: Request, response: Response): Promise<void> => {
    await this.#open(request, response, null);
  };

  deployment = async (request: Request, response: Response): Promise<void> => {
    const id = pathId(request.params['id'], 'This deployment');
    await this.#queries.find(adminOf(request).organizationId, id);
    await this.#open(request, response, id);
  };

  async #open(request: Request, response: Response, deploymentId: string | null): Promise<void> {
    // A client that went while it was looked up: its end has been told, and would not be told again.
    if (response.closed) return;
    response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    });
    response.write(`retry: ${RECONNECT_MS}\n\n`);
    const keepAlive = setInterval(() => response.write(': still here\n\n'), KEEP_ALIVE_MS);
    const lifetime = setTimeout(() => response.end(), LIFETIME_MS);
    let remove: () => void = () => undefined;
    const closed = new Promise<void>((resolve) => {
      response.on('close', () => {
        clearInterval(keepAlive);
        clearTimeout(lifetime);
        remove();
        resolve();
      });
    });
    remove = await this.#streams.add(
      {
        organizationId: adminOf(request).organizationId,
        deploymentId,
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
