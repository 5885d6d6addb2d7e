/** `npm run demo`: a real package reaches a dozen real agents, and one of them goes back by itself. */
import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Command, Option } from 'commander';
import { Listr, type ListrTaskWrapper } from 'listr2';
import { pino } from 'pino';

import { ROLLOUT_STRATEGIES, type RolloutStrategy } from '../../backend/contract/states.ts';
import { startEmbeddedPostgres } from '../database/embedded-postgres.ts';
import { startHost } from '../host/host.ts';
import { AdminClient } from './admin-client.ts';
import { Cleanup } from './cleanup.ts';
import { deploymentFor } from './deployment-request.ts';
import { RolloutWatch } from './rollout-watch.ts';
import { SandboxDevice } from './sandbox-device.ts';
import { checkSandboxes, firstLine, printSummary } from './summary.ts';
import { NEW_VERSION, OLD_VERSION, servePackage } from './update-package.ts';

const DEVICES = 12;
/** The device that cannot run the new version; its agent must bring it back. */
const WEAK_DEVICE = 7;
const PACKAGE_ROOT = path.resolve(import.meta.dirname, '../..');

type Task = ListrTaskWrapper<unknown, never, never>;

interface DemoOptions {
  strategy: RolloutStrategy;
  keep: boolean;
  port: number;
}

const program = new Command('demo')
  .description('Takes a real package through a rollout to a dozen real agents in sandboxes')
  .addOption(
    new Option('--strategy <name>', 'how the update is rolled out')
      .choices(ROLLOUT_STRATEGIES)
      .default('canary'),
  )
  .option('--keep', 'leave everything running until Ctrl+C', false)
  .option('--port <number>', "the page's port; 0 takes a free one", Number, 0);
program.parse();

const cleanup = new Cleanup();
const interrupted = cleanup.onInterrupt();
try {
  process.exitCode = await Promise.race([demo(program.opts<DemoOptions>()), interrupted]);
} finally {
  await cleanup.run();
}

async function demo({ strategy, keep, port }: DemoOptions): Promise<number> {
  const began = Date.now();
  const folder = await mkdtemp(path.join(tmpdir(), 'ota-demo-'));
  cleanup.add(() => rm(folder, { recursive: true, force: true }));
  const { admin, serverUrl, loginUrl } = await startServer(folder, port);
  console.log(`\nOps-Center with the OTA plugin: ${serverUrl}/admin/edge/ota`);
  console.log(`Sign in with one click:         ${loginUrl}\n`);

  const devices = await startDevices(folder, serverUrl, admin);
  const served = await servePackage(await makeFolder(folder, 'package'));
  cleanup.add(() => served.close());
  const created = await admin.create(deploymentFor(strategy, devices, served));
  console.log(
    `Deployment "${created.deployment_name}" (${strategy}): ${created.target_devices} devices, ` +
      `package of ${served.bytes} bytes, ${OLD_VERSION} → ${NEW_VERSION}\n`,
  );
  await rollOut(admin, created.deployment_id, devices);

  const detail = await admin.detail(created.deployment_id);
  const targets = new Map(detail.devices.map((target) => [target.device_id, target]));
  const results = await checkSandboxes(devices, targets);
  printSummary(results, detail);
  const wentBack = detail.progress.rolled_back;
  const proven = results.every((result) => result.agrees) && wentBack === 1;
  console.log(
    proven
      ? `Every sandbox is what the server says, and the device that could not run ${NEW_VERSION} ` +
          `went back to ${OLD_VERSION} by itself. (${Math.round((Date.now() - began) / 1_000)} s)`
      : `The sandboxes are NOT what was expected; see the table, and the agents' logs with --keep.`,
  );
  if (keep) {
    console.log(`\nStill running: ${serverUrl}/admin/edge/ota — Ctrl+C ends it.`);
    console.log(`Agents' logs and sandboxes: ${folder}`);
    await interrupted;
  }
  return proven ? 0 : 1;
}

async function startServer(folder: string, port: number) {
  const postgres = await startEmbeddedPostgres({
    dataDir: path.join(folder, 'postgres'),
    persistent: false,
  });
  cleanup.add(() => postgres.stop());
  const host = await startHost({
    role: 'all',
    logger: pino({ level: 'warn' }, pino.destination(2)),
    databaseUrl: postgres.connectionString(),
    pluginRoot: PACKAGE_ROOT,
    pluginConfig: { allow_insecure_loopback_packages: true, poll_interval_seconds: 1 },
    port,
    listen: '127.0.0.1',
  });
  cleanup.add(() => host.stop());
  if (!host.pluginActive || !host.admin?.token) throw new Error('The plugin did not start.');
  return {
    admin: new AdminClient(host.url, host.admin.token),
    serverUrl: host.url,
    loginUrl: await host.createLoginUrl(),
  };
}

async function startDevices(
  folder: string,
  serverUrl: string,
  admin: AdminClient,
): Promise<SandboxDevice[]> {
  const devices = await Promise.all(
    Array.from({ length: DEVICES }, async (_, index) => {
      const name = `edge-${String(index + 1).padStart(2, '0')}`;
      return new SandboxDevice({
        folder: await makeFolder(folder, name),
        name,
        serverUrl,
        agentPath: path.join(PACKAGE_ROOT, 'dist/agent/ota-agent.cjs'),
        sensorBoard: index + 1 === WEAK_DEVICE ? 'revision-1' : 'revision-2',
      });
    }),
  );
  await Promise.all(devices.map((device) => device.prepare(admin)));
  cleanup.add(async () => {
    await Promise.all(devices.map((device) => device.stop()));
  });
  for (const device of devices) device.start();
  console.log(`${DEVICES} agents are running, each in a sandbox of its own, on ${OLD_VERSION}.`);
  return devices;
}

/** Starts the deployment, expands a canary when its share is through, and follows it to its end. */
async function rollOut(admin: AdminClient, id: string, devices: SandboxDevice[]): Promise<void> {
  const watch = new RolloutWatch(admin, id);
  await watch.start();
  cleanup.add(() => Promise.resolve(watch.stop()));
  const inOrder = devices.filter((device) => watch.targets.has(device.id));
  const started = await admin.start(id);
  const steering =
    started.rollout_strategy === 'canary'
      ? [
          {
            title: 'canary',
            task: (_: unknown, task: Task) => expandAfterCanary(admin, watch, task),
          },
        ]
      : [];
  await new Listr(
    [
      ...steering,
      ...inOrder.map((device) => ({
        title: device.name,
        task: (_: unknown, task: Task) => followDevice(watch, device, task),
      })),
    ],
    { concurrent: true, exitOnError: false, registerSignalListeners: false },
  ).run();
  await watch.until(
    () => !['pending', 'in_progress'].includes(watch.deployment?.status ?? 'pending'),
  );
  watch.stop();
}

async function expandAfterCanary(
  admin: AdminClient,
  watch: RolloutWatch,
  task: Task,
): Promise<void> {
  const canaries = [...watch.targets.values()].filter((target) => target.batch === 1);
  task.title = `canary   ${canaries.length} devices get the update first`;
  await watch.until(() => canaries.every((target) => watch.hasEnded(target.device_id)));
  const { total_devices: total } = await admin.expand(watch.deploymentId);
  task.title = `canary   ${canaries.length} devices are through; expanded to all ${total}`;
}

/** @throws Error for the terminal to show, when the device did not complete the update */
async function followDevice(watch: RolloutWatch, device: SandboxDevice, task: Task): Promise<void> {
  let shown = '';
  const show = () => {
    const target = watch.targets.get(device.id);
    const text = target ? `${target.status} (batch ${target.batch})` : '';
    if (text === shown) return;
    shown = text;
    // A terminal shows the title in place; plain output has a line for each change.
    if (process.stdout.isTTY) task.title = `${device.name}  ${text}`;
    else task.output = `${device.name}  ${text}`;
  };
  show();
  const hide = watch.onChange(show);
  try {
    await watch.until(() => watch.hasEnded(device.id));
  } finally {
    hide();
  }
  const target = watch.targets.get(device.id);
  const end = `${device.name}  ${target?.status}`;
  // A terminal shows the message in place of the title.
  if (target?.status !== 'completed') {
    throw new Error(`${end}: ${firstLine(target?.error_message)}`);
  }
  task.title = end;
}

async function makeFolder(parent: string, name: string): Promise<string> {
  const folder = path.join(parent, name);
  await mkdir(folder, { recursive: true });
  return folder;
}
