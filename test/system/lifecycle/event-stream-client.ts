/** Reads server-sent events over `node:http`, because `fetch` keeps sockets open that the tests would count. */
import { EventEmitter, once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';

import { createParser, type EventSourceMessage } from 'eventsource-parser';

export interface EventStreamClient {
  messages: EventSourceMessage[];
  /** Resolves with the first message of this type, past or future. */
  next(type: string): Promise<EventSourceMessage>;
  /** Resolves when the server has ended the stream. */
  ended: Promise<void>;
}

export async function openEventStream(url: string, token: string): Promise<EventStreamClient> {
  const request = get(url, { headers: { authorization: `Bearer ${token}` }, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  if (response.statusCode !== 200)
    throw new Error(`the stream responds with ${response.statusCode}`);
  const messages: EventSourceMessage[] = [];
  const arrivals = new EventEmitter();
  const parser = createParser({
    onEvent(message) {
      messages.push(message);
      arrivals.emit('message');
    },
  });
  response.setEncoding('utf8').on('data', (chunk: string) => parser.feed(chunk));
  return {
    messages,
    async next(type) {
      for (;;) {
        const found = messages.find((message) => message.event === type);
        if (found) return found;
        await once(arrivals, 'message');
      }
    },
    ended: once(response, 'end').then(() => undefined),
  };
}
