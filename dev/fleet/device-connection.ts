/** How a virtual device reaches the device API: over connections shared by many, on any server. */
import { Agent, request, type Dispatcher } from 'undici';

import type {
  CheckUpdateResponse,
  StatusResponse,
  StatusReport,
} from '../../backend/contract/device-api.ts';

/** What came back, sorted by what a device does next. */
export type Answer<T> =
  | { kind: 'answer'; body: T }
  /** Refused for good: sending it again would not help. */
  | { kind: 'refused'; status: number; code: string | null }
  /** Nobody answered, or the server asked to come again. */
  | { kind: 'away'; retryAfterSeconds: number | null };

export interface DeviceCredentials {
  id: string;
  token: string;
}

/** Statuses after which a device tries again (docs/agent.md). */
const COME_AGAIN = new Set([401, 408, 425, 429]);
const ANSWER_LIMIT_MS = 30_000;

export class DeviceConnections {
  readonly #agent: Agent;
  #next = 0;

  /**
   * @param urls server processes, used in turn
   * @param connections open at the same time for each of them
   */
  constructor(
    private readonly urls: readonly string[],
    connections: number,
  ) {
    this.#agent = new Agent({ connections });
  }

  poll(device: DeviceCredentials): Promise<Answer<CheckUpdateResponse>> {
    return this.#send(device, 'GET', `/api/v1/ota/check-update?device_id=${device.id}`);
  }

  report(
    device: DeviceCredentials,
    deploymentId: string,
    report: StatusReport,
  ): Promise<Answer<StatusResponse>> {
    const path = `/api/v1/ota/deployments/${deploymentId}/status?device_id=${device.id}`;
    return this.#send(device, 'POST', path, report);
  }

  /** Keeps the device online in the host's eyes. */
  heartbeat(device: DeviceCredentials): Promise<Answer<unknown>> {
    return this.#send(device, 'POST', `/api/v1/edge/devices/${device.id}/heartbeat`, {});
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #send<T>(
    { token }: DeviceCredentials,
    method: Dispatcher.HttpMethod,
    path: string,
    body?: object,
  ): Promise<Answer<T>> {
    const url = this.urls[(this.#next += 1) % this.urls.length] ?? '';
    try {
      const response = await request(url + path, {
        dispatcher: this.#agent,
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body && { 'content-type': 'application/json' }),
        },
        ...(body && { body: JSON.stringify(body) }),
        headersTimeout: ANSWER_LIMIT_MS,
        bodyTimeout: ANSWER_LIMIT_MS,
      });
      return await sort<T>(response);
    } catch {
      return { kind: 'away', retryAfterSeconds: null };
    }
  }
}

async function sort<T>({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<Answer<T>> {
  const text = await body.text();
  const answer = parsed(text);
  if (statusCode < 300 && answer !== null) return { kind: 'answer', body: answer as T };
  const { type, code } = (answer ?? {}) as { type?: unknown; code?: unknown };
  // What the plugin itself says; a proxy, a portal or a host without it may say anything.
  const isRefusal = typeof type === 'string' && type.startsWith('urn:ota:problem:');
  if (!isRefusal || statusCode >= 500 || COME_AGAIN.has(statusCode)) {
    const seconds = Number(headers['retry-after']);
    return { kind: 'away', retryAfterSeconds: seconds >= 0 ? seconds : null };
  }
  return { kind: 'refused', status: statusCode, code: typeof code === 'string' ? code : null };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
