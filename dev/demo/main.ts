/** `npm run demo`: rolls out a real package to a dozen real agents, one of which rolls back automatically. */
import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Command, Option } from 'commander';
import { Listr, type ListrTaskWrapper } from 'listr2';

import { ROLLOUT_STRATEGIES, type RolloutStrategy } from '../../backend/contract/states.ts';
import type { AdminClient } from './admin-client.ts';
import { Cleanup } from './cleanup.ts';
import { deploymentFor } from './deployment-request.ts';
import { startStandIn, startWithServer } from './ops-center.ts';
import { RolloutWatch } from './rollout-watch.ts';
import { SandboxDevice } from './sandbox-device.ts';
import { checkSandboxes, firstLine, printSummary } from './summary.ts';
import { NEW_VERSION, OLD_VERSION, servePackage } from './update-package.ts';

const DEVICES = 12;
/** Number of the device that cannot run the new version, so its agent must roll back. */
const INCOMPATIBLE_DEVICE = 7;
const PACKAGE_ROOT = path.resolve(import.meta.dirname, '../..');

type Task = ListrTaskWrapper<unknown, never, never>;

interface DemoOptions {
  strategy: RolloutStrategy;
  keep: boolean;
  port: number;
  server: boolean;
}

const program = new Command('demo')
  .description('Rolls out a real package to a dozen real agents in sandboxes')
  .addOption(
    new Option('--strategy <name>', 'rollout strategy')
      .choices(ROLLOUT_STRATEGIES)
      .default('canary'),
  )
  .option('--keep', 'leave everything running until Ctrl+C', false)
  .option('--server', 'an Ops-Center that loads no plugins, with ota-server beside it', false)
  .option('--port <number>', 'port of the page; 0: a free port', Number, 0);
program.parse();

const cleanup = new Cleanup();
const interrupted = cleanup.onInterrupt();
try {
  process.exitCode = await Promise.race([demo(program.opts<DemoOptions>()), interrupted]);
} finally {
  await cleanup.run();
}

async function demo({ strategy, keep, port, server }: DemoOptions): Promise<number> {
  const startedAt = Date.now();
  const folder = await mkdtemp(path.join(tmpdir(), 'ota-demo-'));
  cleanup.add(() => rm(folder, { recursive: true, force: true }));
  const start = server ? startWithServer : startStandIn;
  const { name, url: serverUrl, loginUrl, admin } = await start({ folder, port, cleanup });
  console.log(`\n${name}: ${serverUrl}/admin/edge/ota`);
  console.log(`Sign-in link (works once): ${loginUrl}\n`);

  const devices = await startDevices(folder, serverUrl, admin);
  const served = await servePackage(await makeFolder(folder, 'package'));
  cleanup.add(() => served.close());
  const created = await admin.create(deploymentFor(strategy, devices, served));
  console.log(
    `Deployment "${created.deployment_name}" (${strategy}): ${created.target_devices} devices, ` +
      `package of ${served.bytes} bytes, ${OLD_VERSION} → ${NEW_VERSION}\n`,
  );
  await followRollout(admin, created.deployment_id, devices);

  const detail = await admin.detail(created.deployment_id);
  const targets = new Map(detail.devices.map((target) => [target.device_id, target]));
  const results = await checkSandboxes(devices, targets);
  printSummary(results, detail);
  const passed = results.every((result) => result.matches) && detail.progress.rolled_back === 1;
  console.log(
    passed
      ? `All sandboxes match the server, and the device that could not run ${NEW_VERSION} rolled back ` +
          `to ${OLD_VERSION} automatically. (${Math.round((Date.now() - startedAt) / 1_000)} s)`
      : 'The sandboxes do NOT match. See the table, and the agent logs (keep them with --keep).',
  );
  if (keep) {
    console.log(`\nStill running at ${serverUrl}/admin/edge/ota. Press Ctrl+C to stop.`);
    console.log(`Sandboxes and agent logs: ${folder}`);
    await interrupted;
  }
  return passed ? 0 : 1;
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
        sensorBoard: index + 1 === INCOMPATIBLE_DEVICE ? 'revision-1' : 'revision-2',
      });
    }),
  );
  await Promise.all(devices.map((device) => device.prepare(admin)));
  cleanup.add(async () => {
    await Promise.all(devices.map((device) => device.stop()));
  });
  for (const device of devices) device.start();
  console.log(`${DEVICES} agents are running ${OLD_VERSION}, each in its own sandbox.`);
  return devices;
}

/** Starts the deployment, expands a canary when its first batch has finished, and waits until it is finished. */
async function followRollout(
  admin: AdminClient,
  id: string,
  devices: SandboxDevice[],
): Promise<void> {
  const watch = new RolloutWatch(admin, id);
  await watch.start();
  cleanup.add(() => Promise.resolve(watch.stop()));
  const inOrder = devices.filter((device) => watch.targets.has(device.id));
  const started = await admin.start(id);
  const expansion =
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
      ...expansion,
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
  task.title = `canary   ${canaries.length} devices are updated first`;
  await watch.until(() => canaries.every((target) => watch.hasFinished(target.device_id)));
  const { total_devices: total } = await admin.expand(watch.deploymentId);
  task.title = `canary   ${canaries.length} devices have finished; expanded to all ${total}`;
}

/** @throws Error for the terminal to show if the device does not complete the update */
async function followDevice(watch: RolloutWatch, device: SandboxDevice, task: Task): Promise<void> {
  let shown = '';
  const show = () => {
    const target = watch.targets.get(device.id);
    const text = target ? `${target.status} (batch ${target.batch})` : '';
    if (text === shown) return;
    shown = text;
    // A terminal updates the title in place; plain output prints a line per change.
    if (process.stdout.isTTY) task.title = `${device.name}  ${text}`;
    else task.output = `${device.name}  ${text}`;
  };
  show();
  const stopShowing = watch.onChange(show);
  try {
    await watch.until(() => watch.hasFinished(device.id));
  } finally {
    stopShowing();
  }
  const target = watch.targets.get(device.id);
  const result = `${device.name}  ${target?.status}`;
  // A terminal replaces the title with the message.
  if (target?.status !== 'completed') {
    throw new Error(`${result}: ${firstLine(target?.error_message)}`);
  }
  task.title = result;
}

async function makeFolder(parent: string, name: string): Promise<string> {
  const folder = path.join(parent, name);
  await mkdir(folder, { recursive: true });
  return folder;
}
