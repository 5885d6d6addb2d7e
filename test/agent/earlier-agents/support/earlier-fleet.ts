/** Devices with agents of the earlier generation at a real host, and the packages they get. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import type {
  CreateDeploymentRequest,
  DeploymentDetail,
  TargetView,
} from '../../../../backend/contract/admin-api.ts';
import { compileProgram } from '../../../support/agent/agent-program.ts';
import type { Package } from '../../../support/agent/package-builder.ts';
import { ADMIN_TOKEN, RolloutHost } from '../../../support/rollout-host.ts';
import { waitFor } from '../../../../dev/wait-for.ts';

const PATIENCE_MS = 20_000;
let built: Promise<string> | null = null;

function earlierAgentProgram(): Promise<string> {
  built ??= compileProgram(
    'test/agent/earlier-agents/support/earlier-agent.ts',
    'earlier-agent.mjs',
  );
  return built;
}

/** What the agent says about a request of its. */
export interface Exchange {
  method: string;
  path: string;
  status?: string;
  answer: number;
}

export class EarlierDevice {
  readonly said: Exchange[] = [];
  #process: ChildProcess | null = null;

  constructor(
    readonly id: string,
    /** Its file system. */
    readonly root: string,
    /** Of its processes, besides `PATH`. */
    readonly env: Record<string, string> = {},
  ) {}

  at(...names: string[]): string {
    return path.join(this.root, ...names);
  }

  async start(): Promise<void> {
    const child = spawn(
      process.execPath,
      [await earlierAgentProgram(), this.at('etc/edge-agent')],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { PATH: process.env.PATH ?? '', OTA_ROOT: this.root, ...this.env },
      },
    );
    this.#process = child;
    let rest = '';
    child.stdout.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      this.said.push(...lines.map((line) => JSON.parse(line) as Exchange));
    });
  }

  get pid(): number {
    if (!this.#process?.pid) throw new Error('the earlier agent was not started');
    return this.#process.pid;
  }

  get isRunning(): boolean {
    const { exitCode, signalCode } = this.#process ?? {};
    return this.#process !== null && exitCode === null && signalCode === null;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.#process || !this.isRunning) return;
    const exit = once(this.#process, 'exit');
    this.#process.kill(signal);
    await exit;
  }

  /** Answers to the reports of this status, oldest first. */
  answersTo(status: string): number[] {
    return this.said.filter((one) => one.status === status).map(({ answer }) => answer);
  }

  async until(what: string, condition: (device: this) => boolean): Promise<void> {
    await waitFor(() => condition(this), {
      timeout: PATIENCE_MS,
      describe: () => `the earlier agent ${what}; it said ${JSON.stringify(this.said.slice(-12))}`,
    });
  }

  async version(): Promise<string> {
    return readFile(this.at('version.txt'), 'utf8').catch(() => 'none');
  }
}

export class EarlierFleet {
  /** Looked at before a package is sent; true: it was answered. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | null = null;
  readonly #folders: string[] = [];
  #named = 0;
  readonly #devices: EarlierDevice[] = [];
  readonly #packages = new Map<string, Buffer>();
  #types = 0;

  private constructor(
    readonly host: RolloutHost,
    readonly packageServer: Server,
  ) {}

  static async open(): Promise<EarlierFleet> {
    const host = await RolloutHost.start({ timeout_sweep_seconds: 1 });
    const server = createServer((request, response) => fleet.#send(request, response));
    const fleet = new EarlierFleet(host, server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return fleet;
  }

  async close(): Promise<void> {
    for (const device of this.#devices) await device.kill();
    await this.host.stop();
    this.packageServer.closeAllConnections();
    this.packageServer.close();
    for (const folder of this.#folders) await rm(folder, { recursive: true, force: true });
  }

  /** A type of devices that no other test has. */
  newType(): string {
    return `earlier-${++this.#types}`;
  }

  /** Devices whose agents register and poll. */
  async devices(type: string, count: number): Promise<EarlierDevice[]> {
    return Promise.all(Array.from({ length: count }, () => this.device(type)));
  }

  /** @param prepare makes the device ready before its agent starts; answers what is in its environment */
  async device(
    type: string,
    prepare: (root: string) => Promise<Record<string, string>> = () => Promise.resolve({}),
  ): Promise<EarlierDevice> {
    const made = await this.admin('POST', '/edge/devices/generate-token', {
      device_name: `${type}-${(this.#named += 1)}`,
      device_type: type,
    });
    const { device_id: id, registration_token } = made.body as Record<string, string>;
    const root = await mkdtemp(path.join(tmpdir(), 'earlier-device-'));
    this.#folders.push(root);
    await mkdir(path.join(root, 'etc/edge-agent'), { recursive: true });
    await writeFile(
      path.join(root, 'etc/edge-agent/config.json'),
      JSON.stringify({ server_url: this.host.url, registration_token, poll_seconds: 0.2 }),
    );
    const device = new EarlierDevice(id ?? '', root, await prepare(root));
    this.#devices.push(device);
    await device.start();
    await device.until('polls', ({ said }) =>
      said.some((one) => one.path.endsWith('check-update')),
    );
    return device;
  }

  /** What a deployment says of a package that is served from now on. */
  serve(made: Package): Pick<CreateDeploymentRequest, 'update_package_url' | 'checksum'> {
    const name = `/${made.sha256}.tar.gz`;
    this.#packages.set(name, made.bytes);
    const { port } = this.packageServer.address() as AddressInfo;
    return { update_package_url: `http://127.0.0.1:${port}${name}`, checksum: made.sha256 };
  }

  /** Creates a deployment to this type of devices, and starts it; answers its id. */
  async roll(
    type: string,
    made: Package,
    request: Partial<CreateDeploymentRequest> = {},
  ): Promise<string> {
    const created = await this.admin('POST', '/ota/deployments', {
      deployment_name: 'Update of earlier agents',
      target_version: 'v2.1.0',
      rollout_strategy: 'immediate',
      device_filters: { device_type: type },
      ...this.serve(made),
      ...request,
    });
    expect(created.status, JSON.stringify(created.body)).to.equal(201);
    const id = (created.body as { deployment_id: string }).deployment_id;
    await this.act(id, 'start');
    return id;
  }

  async act(id: string, action: string, body: object = {}): Promise<void> {
    const answer = await this.admin('POST', `/ota/deployments/${id}/${action}`, body);
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
  }

  async detail(id: string): Promise<DeploymentDetail> {
    return (await this.admin('GET', `/ota/deployments/${id}`)).body as DeploymentDetail;
  }

  async target(id: string, device: EarlierDevice): Promise<TargetView> {
    const { devices } = await this.detail(id);
    return devices.find((one) => one.device_id === device.id) as TargetView;
  }

  async until(
    id: string,
    what: string,
    wanted: (detail: DeploymentDetail) => boolean,
  ): Promise<DeploymentDetail> {
    let last: DeploymentDetail | null = null;
    return waitFor(
      async () => {
        last = await this.detail(id);
        return wanted(last) ? last : null;
      },
      {
        timeout: PATIENCE_MS,
        describe: () =>
          `the deployment ${what}; it is ${last?.status}: ${JSON.stringify(last?.devices)}`,
      },
    );
  }

  /** Requests of the admin, below `/api/v1/admin`. */
  async admin(
    method: string,
    address: string,
    body?: object,
  ): Promise<{ status: number; body: unknown }> {
    const answer = await fetch(`${this.host.url}/api/v1/admin${address}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: await answer.json() };
  }

  #send(request: IncomingMessage, response: ServerResponse): void {
    if (this.intercept?.(request, response)) return;
    const bytes = this.#packages.get(request.url ?? '');
    if (bytes) response.end(bytes);
    else response.writeHead(404).end();
  }
}
