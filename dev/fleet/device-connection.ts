/** The device API for virtual devices, which share connections to one or more servers. */
import { Agent, request, type Dispatcher } from 'undici';

import type {
  CheckUpdateResponse,
  StatusResponse,
  StatusReport,
} from '../../backend/contract/device-api.ts';

/** The outcome of a request, by what the device does next. */
export type Outcome<T> =
  | { kind: 'accepted'; body: T }
  /** Rejected permanently; a retry would not help. */
  | { kind: 'rejected'; status: number; code: string | null }
  /** No response, or a temporary error: try again later. */
  | { kind: 'unavailable'; retryAfterSeconds: number | null };

export interface DeviceCredentials {
  id: string;
  token: string;
}

/** Statuses below 500 after which a device tries again (docs/agent.md). */
const RETRYABLE = new Set([401, 408, 425, 429]);
const RESPONSE_TIMEOUT_MS = 30_000;

export class DeviceConnections {
  readonly #agent: Agent;
  #next = 0;

  /**
   * @param urls server processes, used round-robin
   * @param connections maximum number of connections to each of them
   */
  constructor(
    private readonly urls: readonly string[],
    connections: number,
  ) {
    this.#agent = new Agent({ connections });
  }

  poll(device: DeviceCredentials): Promise<Outcome<CheckUpdateResponse>> {
    return this.#send(device, 'GET', `/api/v1/ota/check-update?device_id=${device.id}`);
  }

  report(
    device: DeviceCredentials,
    deploymentId: string,
    report: StatusReport,
  ): Promise<Outcome<StatusResponse>> {
    const path = `/api/v1/ota/deployments/${deploymentId}/status?device_id=${device.id}`;
    return this.#send(device, 'POST', path, report);
  }

  /** Keeps the device online on the host. */
  heartbeat(device: DeviceCredentials): Promise<Outcome<unknown>> {
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
  ): Promise<Outcome<T>> {
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
        headersTimeout: RESPONSE_TIMEOUT_MS,
        bodyTimeout: RESPONSE_TIMEOUT_MS,
      });
      return await outcomeOf<T>(response);
    } catch {
      return { kind: 'unavailable', retryAfterSeconds: null };
    }
  }
}

async function outcomeOf<T>({
  statusCode,
  headers,
  body,
}: Dispatcher.ResponseData): Promise<Outcome<T>> {
  const text = await body.text();
  const json = parsed(text);
  if (statusCode < 300 && json !== null) return { kind: 'accepted', body: json as T };
  const { type, code } = (json ?? {}) as { type?: unknown; code?: unknown };
  // Only errors of the plugin are final, not those of a proxy, a captive portal or the host.
  const isPluginError = typeof type === 'string' && type.startsWith('urn:ota:problem:');
  if (!isPluginError || statusCode >= 500 || RETRYABLE.has(statusCode)) {
    const seconds = Number(headers['retry-after']);
    return { kind: 'unavailable', retryAfterSeconds: seconds >= 0 ? seconds : null };
  }
  return { kind: 'rejected', status: statusCode, code: typeof code === 'string' ? code : null };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
