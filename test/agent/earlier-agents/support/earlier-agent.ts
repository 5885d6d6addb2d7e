/**
 * An agent of the earlier generation, as it is in the field: a program of its own that speaks only what
 * the device API had then, with its habits.
 *
 * - It never tells its version; at registration it tells that of the kernel.
 * - It names its HTTP library as its `User-Agent`, as aiohttp does.
 * - It compares the checksum as text with the hex digits of the file's SHA-256.
 * - It knows no attempts, no `directive`, no `rollback`, no wish about the next poll.
 * - It reports every step twice, and steps the server has no word for.
 * - It looks at no answer to a report.
 * - When an update fails it reports `failed` and asks the route of the admins for a rollback.
 * - It keeps nothing about an update under way: started again, it asks and begins anew.
 * - `install.sh` runs in its environment, with its output caught through a pipe.
 *
 * `earlier-agent FOLDER`: `FOLDER/config.json` says `{server_url, registration_token, poll_seconds}`;
 * what the server answers the registration is kept in `FOLDER/device.json`.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

interface Config {
  server_url: string;
  registration_token: string;
  poll_seconds: number;
}

interface Registration {
  device_id: string;
  auth_token: string;
}

interface Offer {
  update_available: boolean;
  deployment_id: string;
  target_version: string;
  update_package_url: string;
  checksum: string;
}

const USER_AGENT = 'Python/3.11 aiohttp/3.9.1';

const folder = process.argv[2] ?? '/etc/edge-agent';
const config = JSON.parse(await readFile(path.join(folder, 'config.json'), 'utf8')) as Config;
const device = await register();
for (;;) {
  await heartbeat();
  await checkForUpdate();
  await pause(config.poll_seconds * 1_000);
}

async function register(): Promise<Registration> {
  const file = path.join(folder, 'device.json');
  if (existsSync(file)) return JSON.parse(await readFile(file, 'utf8')) as Registration;
  const answer = await call('POST', '/api/v1/edge/devices/register', {
    hardware_id: hostname() + folder,
    registration_token: config.registration_token,
    firmware_version: 'Linux-5.15.0-x86_64',
    metadata: { platform: 'Linux-5.15.0-x86_64-with-glibc2.31' },
  });
  if (!answer.ok) throw new Error(`not registered: ${answer.status} ${await answer.text()}`);
  const text = await answer.text();
  await writeFile(file, text);
  return JSON.parse(text) as Registration;
}

async function heartbeat(): Promise<void> {
  await call('POST', `/api/v1/edge/devices/${device.device_id}/heartbeat`, {
    status: 'online',
    uptime: 1_000,
    services: {},
    metrics: {},
  }).catch(() => undefined);
}

async function checkForUpdate(): Promise<void> {
  try {
    const answer = await call('GET', `/api/v1/ota/check-update?device_id=${device.device_id}`);
    if (!answer.ok) return;
    const offer = (await answer.json()) as Offer;
    if (offer.update_available) await applyUpdate(offer);
  } catch (error) {
    say({ error: String(error) });
  }
}

async function applyUpdate(offer: Offer): Promise<void> {
  const work = await mkdtemp(path.join(tmpdir(), 'edge-update-'));
  try {
    await report(offer, 'downloading');
    const file = path.join(work, 'update.tar.gz');
    const answer = await fetch(offer.update_package_url);
    if (!answer.ok) throw new Error(`Download failed: ${answer.status}`);
    await writeFile(file, Buffer.from(await answer.arrayBuffer()));
    const digest = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
    if (digest !== offer.checksum) throw new Error('Checksum verification failed');

    await report(offer, 'extracting');
    const unpacked = path.join(work, 'package');
    await mkdir(unpacked);
    await run(['tar', '-xzf', file, '-C', unpacked], work);
    if (!existsSync(path.join(unpacked, 'install.sh'))) throw new Error('install.sh is missing');

    await report(offer, 'installing');
    await run(['bash', 'install.sh'], unpacked);
    await report(offer, 'verifying');
    await report(offer, 'completed');
    await report(offer, 'success');
  } catch (error) {
    await report(offer, 'failed', (error as Error).message);
    await call(
      'POST',
      `/api/v1/admin/ota/deployments/${offer.deployment_id}/devices/${device.device_id}/rollback`,
      { previous_version: 'previous' },
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Twice, since answers get lost. */
async function report(offer: Offer, status: string, message: string | null = null): Promise<void> {
  for (let time = 0; time < 2; time++) {
    await call(
      'POST',
      `/api/v1/ota/deployments/${offer.deployment_id}/status?device_id=${device.device_id}`,
      { status, error_message: message },
    ).catch(() => undefined);
  }
}

async function run([program = '', ...args]: string[], cwd: string): Promise<void> {
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  // Not before the last process that holds the pipe has let go of it.
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`Installation failed: ${output}`);
}

async function call(method: string, address: string, body?: object): Promise<Response> {
  const token = existsSync(path.join(folder, 'device.json')) && device.auth_token;
  const answer = await fetch(config.server_url + address, {
    method,
    headers: {
      'user-agent': USER_AGENT,
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  const status = (body as { status?: string } | undefined)?.status;
  say({ method, path: address.split('?')[0], status, answer: answer.status });
  return answer;
}

/** A line for whoever watches. */
function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
