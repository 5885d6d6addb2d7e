/** `npm run fleet`: runs virtual devices against a running host. */
import { setInterval } from 'node:timers/promises';

import { Command, Option } from 'commander';

import { catchInterrupts } from '../../backend/server/host/interrupts.ts';
import { seededRandom } from './random.ts';
import { registerDevices } from './registration.ts';
import { VirtualFleet } from './virtual-fleet.ts';

interface FleetOptions {
  server: string;
  adminToken: string;
  devices: number;
  type: string;
  version: string;
  pollSeconds: number;
  stepSeconds: number;
  failureShare: number;
  rollbackShare: number;
  offlineShare: number;
  heartbeatSeconds: number;
  connections: number;
  seed: number;
}

const STATUS_INTERVAL_MS = 1_000;
/** Registered devices between two progress messages. */
const PROGRESS_EVERY = 100;

const program = new Command('fleet')
  .description('Registers virtual devices that poll and simulate updates until Ctrl+C')
  .option('--server <url>', 'URL of the host', 'http://localhost:8084')
  .addOption(
    new Option(
      '--admin-token <token>',
      'token of an admin of the organization that the devices will belong to',
    )
      .env('OPS_ADMIN_TOKEN')
      .makeOptionMandatory(),
  )
  .option('--devices <number>', 'number of devices', Number, 1_000)
  .option('--type <name>', 'device type', 'raspberry_pi')
  .option('--version <version>', 'version installed at the start', 'v2.0.0')
  .option('--poll-seconds <number>', 'maximum seconds between polls', Number, 60)
  .option('--step-seconds <number>', 'mean duration of each update step', Number, 2)
  .option('--failure-share <share>', 'share of updates that fail, 0 to 1', Number, 0.01)
  .option('--rollback-share <share>', 'share of updates that are rolled back, 0 to 1', Number, 0.01)
  .option('--offline-share <share>', 'share of devices that never connect, 0 to 1', Number, 0)
  .option('--heartbeat-seconds <number>', 'seconds between heartbeats; 0: none', Number, 30)
  .option('--connections <number>', 'maximum number of connections to the host', Number, 64)
  .option(
    '--seed <number>',
    'seed of the random numbers, to repeat an earlier run',
    Number,
    Date.now() % 1_000_000,
  );
program.parse();
const options = program.opts<FleetOptions>();

const isReachable = (await fetch(`${options.server}/health`).catch(() => null)) !== null;
if (!isReachable) {
  console.error(`No host at ${options.server}. Start one with npm start.`);
  process.exit(1);
}
const run = `${options.seed}-${process.pid}`;
const members = await registerDevices(
  options.server,
  options.adminToken,
  Array.from({ length: options.devices }, (_, index) => ({
    name: `virtual-${run}-${index + 1}`,
    type: options.type,
    version: options.version,
    online: options.heartbeatSeconds > 0,
  })),
  (count) => {
    if (count % PROGRESS_EVERY === 0) {
      printStatus(`Registered ${count} of ${options.devices} devices`);
    }
  },
);
const fleet = new VirtualFleet(members, {
  urls: [options.server],
  connections: options.connections,
  behaviour: { ...options, retrySeconds: 5 },
  offlineShare: options.offlineShare,
  ...(options.heartbeatSeconds > 0 && { heartbeatSeconds: options.heartbeatSeconds }),
  random: seededRandom(options.seed),
});
fleet.start();
console.log(
  `\n${members.length} devices are polling (seed ${options.seed}). Press Ctrl+C to stop.`,
);

const stop = new AbortController();
const { stopRequested, forceStopRequested } = catchInterrupts();
void stopRequested.then(() => stop.abort());
void forceStopRequested.then(() => process.exit(130));
try {
  let before = { ...fleet.tally };
  for await (const _ of setInterval(STATUS_INTERVAL_MS, undefined, { signal: stop.signal })) {
    const { polls, offers, acknowledged, rejected, unavailable } = fleet.tally;
    printStatus(
      `${polls - before.polls} polls/s, ${acknowledged - before.acknowledged} reports/s; total: ` +
        `${offers} offers, ${acknowledged} reports, ${rejected} rejected, ${unavailable} retried`,
    );
    before = { ...fleet.tally };
  }
} catch (error) {
  if (!stop.signal.aborted) throw error;
} finally {
  console.log();
  await fleet.stop();
}

/** Prints a line, which replaces the previous one on a terminal. */
function printStatus(text: string): void {
  process.stdout.write(process.stdout.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
}
