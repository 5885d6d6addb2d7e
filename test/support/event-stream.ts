/** A client of server-sent events that can wait for an event. */
import { createParser, type EventSourceMessage } from 'eventsource-parser';

import { waitFor } from '../../dev/wait-for.ts';

export interface StreamMessage {
  id: string | undefined;
  event: string;
  data: Record<string, unknown>;
}

export class EventStreamReader {
  readonly response: Response;
  readonly messages: StreamMessage[] = [];
  /** The reconnection time from the server, in milliseconds. */
  retry: number | null = null;
  /** Resolves when the server ended the stream or {@link close} was called. */
  readonly ended: Promise<void>;
  readonly #abort: AbortController;

  private constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
    this.ended = this.#read();
  }

  static async open(
    url: string,
    bearer: { token: string },
    lastEventId?: string,
  ): Promise<EventStreamReader> {
    const abort = new AbortController();
    const response = await fetch(url, {
      signal: abort.signal,
      headers: {
        Authorization: `Bearer ${bearer.token}`,
        Accept: 'text/event-stream',
        ...(lastEventId !== undefined && { 'Last-Event-ID': lastEventId }),
      },
    });
    return new EventStreamReader(response, abort);
  }

  get lastId(): string {
    return this.messages.findLast((message) => message.id !== undefined)?.id ?? '';
  }

  /** The first matching event of this type, past or future. */
  async next(
    event: string,
    matches: (data: Record<string, unknown>) => boolean = () => true,
  ): Promise<StreamMessage> {
    return waitFor(
      () => this.messages.find((message) => message.event === event && matches(message.data)),
      {
        describe: () =>
          `a ${event} event where ${matches.toString()}; received ${JSON.stringify(this.messages)}`,
      },
    );
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.ended;
  }

  async #read(): Promise<void> {
    const parser = createParser({
      onEvent: (message: EventSourceMessage) => {
        this.messages.push({
          id: message.id,
          event: message.event ?? 'message',
          data: JSON.parse(message.data) as Record<string, unknown>,
        });
      },
      onRetry: (milliseconds) => {
        this.retry = milliseconds;
      },
    });
    const decoder = new TextDecoder();
    try {
      for await (const chunk of this.response.body ?? []) {
        parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
      }
    } catch {
      // `close` was called or the connection broke. Either way, the stream has ended.
    }
  }
}
