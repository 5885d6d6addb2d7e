/**
 * A server that speaks the device API for one device and serves packages, both well and badly. It
 * keeps the rules of the contract a device can notice: statuses do not walk back, a repeated log
 * chunk is dropped, an ended attempt is not offered again.
 */
import { EventEmitter, once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type {
  Components,
  LogUpload,
  RollbackOrder,
  StatusResponse,
  StatusReport,
} from '../../../backend/contract/device-api.ts';
import { FINISHED_TARGET_STATUSES } from '../../../backend/contract/states.ts';
import { exemptFromChecks } from '../response-checks.ts';
import type { Package } from './package-builder.ts';

export const DEVICE_ID = '0b7f0a9e-4a55-4a0e-9c44-5c1c3d0e9a01';
export const DEVICE_TOKEN = 'device-token-of-the-test';
export const REGISTRATION_TOKEN = 'registration-token-of-the-test';

export interface TestOffer {
  deployment_id: string;
  target_version: string;
  attempt: number;
  checksum: string;
  update_package_url: string;
  manifest?: string;
  signature?: string;
}

/** Answers a request itself and returns true, or leaves it to the server. */
export type Interceptor = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface ReceivedReport extends StatusReport {
  deployment_id: string;
}

export interface ReceivedPoll {
  current_version: string | null;
  protection: string | null;
  components: Components;
}

export class DeviceServer extends EventEmitter {
  readonly reports: ReceivedReport[] = [];
  readonly polls: ReceivedPoll[] = [];
  readonly heartbeats: unknown[] = [];
  readonly registrations: unknown[] = [];
  /** Every request for a package: its headers. */
  readonly downloads: IncomingMessage['headers'][] = [];
  readonly faults: string[] = [];
  /** Looked at for every request, package requests included. */
  intercept: Interceptor | null = null;
  /** How a package is sent; the default knows Range, If-Range and ETag. */
  servePackage: Interceptor | null = null;
  directive: 'continue' | 'abort' = 'continue';
  pollAfterSeconds = 0.05;
  offer: TestOffer | null = null;
  rollback: RollbackOrder | null = null;
  package: Package | null = null;
  etag = '"one"';
  readonly #logs = new Map<string, Buffer>();
  readonly #server: Server;
  #sequence = 0;

  private constructor() {
    super();
    this.setMaxListeners(0);
    this.#server = createServer((request, response) => void this.#answer(request, response));
    exemptFromChecks(this.#server);
  }

  static async start(): Promise<DeviceServer> {
    const server = new DeviceServer();
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Offers this package as the next deployment. */
  offerPackage(made: Package, change: Partial<TestOffer> = {}): TestOffer {
    this.package = made;
    this.offer = {
      deployment_id: `deployment-${++this.#sequence}`,
      target_version: '2.0.0',
      attempt: 1,
      checksum: `sha256:${made.sha256}`,
      update_package_url: `${this.url}/packages/update.tar.gz`,
      ...change,
    };
    return this.offer;
  }

  /** The statuses reported so far, repeated ones once. */
  get statuses(): string[] {
    return this.reports
      .map((report) => report.status)
      .filter((status, index, all) => status !== all[index - 1]);
  }

  get lastReport(): ReceivedReport {
    const last = this.reports.at(-1);
    if (!last) throw new Error('the server has received no report');
    return last;
  }

  log(deploymentId: string, attempt = 1): string {
    return (this.#logs.get(`${deploymentId}/${attempt}`) ?? Buffer.alloc(0)).toString('utf8');
  }

  /** Resolves when the condition holds; it is looked at after every request. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this, 'request');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      if (this.intercept?.(request, response)) return;
      const url = new URL(request.url ?? '/', this.url);
      if (url.pathname.startsWith('/packages/')) {
        this.downloads.push(request.headers);
        if (!this.servePackage?.(request, response)) this.#sendPackage(request, response);
        return;
      }
      const body = await readBody(request);
      const answer = this.#route(request, url, body);
      const type = answer.status < 400 ? 'application/json' : 'application/problem+json';
      response.writeHead(answer.status, { 'content-type': type });
      response.end(JSON.stringify(answer.body));
    } catch (error) {
      this.faults.push(String(error));
      response.destroy();
    } finally {
      setImmediate(() => this.emit('request', request.url));
    }
  }

  #route(request: IncomingMessage, url: URL, body: unknown): { status: number; body: unknown } {
    if (url.pathname === '/api/v1/edge/devices/register') return this.#register(body);
    if (request.headers.authorization !== `Bearer ${DEVICE_TOKEN}`) {
      return problem(401, 'unauthenticated', 'no valid token');
    }
    if (url.pathname === `/api/v1/edge/devices/${DEVICE_ID}/heartbeat`) {
      this.heartbeats.push(body);
      return { status: 200, body: { ack: true } };
    }
    if (url.searchParams.get('device_id') !== DEVICE_ID) {
      return problem(403, 'forbidden', 'not this device');
    }
    if (url.pathname === '/api/v1/ota/check-update') return this.#poll(url);
    const [, deployment, what] =
      /^\/api\/v1\/ota\/deployments\/([^/]+)\/(status|logs)$/.exec(url.pathname) ?? [];
    if (deployment && what === 'status') return this.#report(deployment, body as StatusReport);
    if (deployment && what === 'logs') return this.#storeLog(deployment, body as LogUpload);
    return problem(404, 'not_found', url.pathname);
  }

  #register(body: unknown): { status: number; body: unknown } {
    this.registrations.push(body);
    if ((body as { registration_token: string }).registration_token !== REGISTRATION_TOKEN) {
      return problem(401, 'unauthenticated', 'the registration token is unknown or used');
    }
    return {
      status: 201,
      body: {
        device_id: DEVICE_ID,
        device_name: 'pump-7',
        organization_id: 'organization-1',
        auth_token: DEVICE_TOKEN,
        heartbeat_interval: 30,
        config_version: 1,
      },
    };
  }

  #poll(url: URL): { status: number; body: unknown } {
    const { searchParams: query } = url;
    this.polls.push({
      current_version: query.get('current_version'),
      protection: query.get('protection'),
      components: JSON.parse(query.get('components') ?? '{}') as Components,
    });
    const poll_after_seconds = this.pollAfterSeconds;
    if (this.rollback) {
      const body = { update_available: false, rollback: this.rollback, poll_after_seconds };
      return { status: 200, body };
    }
    const { offer } = this;
    if (!offer) return { status: 200, body: { update_available: false, poll_after_seconds } };
    return {
      status: 200,
      body: { update_available: true, release_notes: '', poll_after_seconds, ...offer },
    };
  }

  #report(deployment: string, report: StatusReport): { status: number; body: unknown } {
    this.reports.push({ deployment_id: deployment, ...report });
    const ended = (FINISHED_TARGET_STATUSES as readonly string[]).includes(report.status);
    if (ended && this.offer?.deployment_id === deployment) this.offer = null;
    if (ended && this.rollback?.deployment_id === deployment) this.rollback = null;
    const body: StatusResponse = {
      status: 'success',
      message: 'recorded',
      directive: this.directive,
    };
    return { status: 200, body };
  }

  #storeLog(deployment: string, upload: LogUpload): { status: number; body: unknown } {
    const key = `${deployment}/${upload.attempt}`;
    const stored = this.#logs.get(key) ?? Buffer.alloc(0);
    const offset = upload.offset ?? stored.length;
    if (Buffer.byteLength(upload.chunk) > 64 * 1024) this.faults.push('a log chunk is too large');
    if (offset > stored.length) this.faults.push(`a log chunk leaves a gap: ${offset}`);
    if (offset >= stored.length) {
      this.#logs.set(key, Buffer.concat([stored, Buffer.from(upload.chunk)]));
    }
    return { status: 202, body: { status: 'accepted' } };
  }

  #sendPackage(request: IncomingMessage, response: ServerResponse): void {
    const bytes = this.package?.bytes ?? Buffer.alloc(0);
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const sameFile = request.headers['if-range'] === this.etag;
    const start = range && sameFile ? Number(range[1]) : 0;
    const headers = { etag: this.etag, 'accept-ranges': 'bytes' };
    if (start > 0) {
      response.writeHead(206, {
        ...headers,
        'content-length': bytes.length - start,
        'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
      });
    } else response.writeHead(200, { ...headers, 'content-length': bytes.length });
    response.end(bytes.subarray(start));
  }
}

/** Sends the first `count` bytes of the package and cuts the connection when `stored` says so. */
export function cutAfter(
  server: DeviceServer,
  count: number,
  stored: () => Promise<void>,
): Interceptor {
  return (_request, response) => {
    const bytes = server.package?.bytes ?? Buffer.alloc(0);
    response.writeHead(200, { etag: server.etag, 'content-length': bytes.length });
    response.write(bytes.subarray(0, count));
    void stored().then(() => response.destroy());
    return true;
  };
}

/** Uses the first interceptor for the first package request and so on; then the server itself. */
export function inTurn(...steps: Interceptor[]): Interceptor {
  return (request, response) => steps.shift()?.(request, response) ?? false;
}

export function answerWith(status: number, headers: Record<string, string> = {}): Interceptor {
  return (_request, response) => {
    response.writeHead(status, headers);
    response.end();
    return true;
  };
}

/** What answers in place of the product: a host that is starting, an ingress, a captive portal. */
export function answerText(
  status: number,
  body = '',
  type: string | null = 'text/plain',
): Interceptor {
  return (_request, response) => {
    response.writeHead(status, type === null ? {} : { 'content-type': type });
    response.end(body);
    return true;
  };
}

/** The product's own refusal. */
export function refuse(status: number, code: string): Interceptor {
  return answerText(
    status,
    JSON.stringify({ code, status, detail: `refused with ${code}` }),
    'application/problem+json',
  );
}

/** Applies to requests whose path contains the text. */
export function on(text: string, then: Interceptor): Interceptor {
  return (request, response) => (request.url ?? '').includes(text) && then(request, response);
}

function problem(status: number, code: string, detail: string): { status: number; body: unknown } {
  return { status, body: { type: 'about:blank', title: code, status, code, detail } };
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  return text ? (JSON.parse(text) as unknown) : undefined;
}
