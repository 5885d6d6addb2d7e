/** The admin API as the demo uses it. Methods throw if the response is not a 2xx. */
import { EventSourceParserStream } from 'eventsource-parser/stream';

import type {
  CreateDeploymentRequest,
  CreatedDeployment,
  DeploymentDetail,
  StreamEvent,
  TargetPage,
  TargetView,
} from '../../backend/contract/admin-api.ts';

const ADMIN_PATH = '/api/v1/admin/ota';

export class AdminClient {
  constructor(
    private readonly serverUrl: string,
    /** Headers that identify an admin: a bearer token, or a session of the host's page. */
    private readonly credentials: Readonly<Record<string, string>>,
  ) {}

  create(request: CreateDeploymentRequest): Promise<CreatedDeployment> {
    return this.#call('POST', `${ADMIN_PATH}/deployments`, request);
  }

  detail(id: string): Promise<DeploymentDetail> {
    return this.#call('GET', `${ADMIN_PATH}/deployments/${id}`);
  }

  start(id: string): Promise<DeploymentDetail> {
    return this.#call('POST', `${ADMIN_PATH}/deployments/${id}/start`);
  }

  expand(id: string): Promise<DeploymentDetail> {
    return this.#call('POST', `${ADMIN_PATH}/deployments/${id}/expand`);
  }

  async targets(id: string): Promise<TargetView[]> {
    const page = await this.#call<TargetPage>(
      'GET',
      `${ADMIN_PATH}/deployments/${id}/devices?limit=500`,
    );
    return page.devices;
  }

  createDevice(name: string): Promise<{ device_id: string; registration_token: string }> {
    return this.#call('POST', '/api/v1/admin/edge/devices/generate-token', {
      device_name: name,
      device_type: 'raspberry_pi',
    });
  }

  /** Yields the deployment's events until the stream ends or `signal` is aborted. */
  async *watch(id: string, signal: AbortSignal): AsyncGenerator<StreamEvent> {
    const response = await this.#fetch('GET', `${ADMIN_PATH}/deployments/${id}/stream`, undefined, {
      signal,
    });
    if (!response.body) return;
    const messages = response.body
      .pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>)
      .pipeThrough(new EventSourceParserStream());
    for await (const message of messages as unknown as AsyncIterable<{
      event: string;
      data: string;
    }>) {
      yield { type: message.event, ...(JSON.parse(message.data) as object) } as StreamEvent;
    }
  }

  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.#fetch(method, path, body);
    return (await response.json()) as T;
  }

  async #fetch(
    method: string,
    path: string,
    body?: unknown,
    options: RequestInit = {},
  ): Promise<Response> {
    const response = await fetch(`${this.serverUrl}${path}`, {
      ...options,
      method,
      headers: {
        ...this.credentials,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!response.ok) {
      throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
    }
    return response;
  }
}
