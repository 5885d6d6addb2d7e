/** `npm run fleet`: many virtual devices on a running host, for trying out and measuring. */
import { setInterval } from 'node:timers/promises';

import { Command, Option } from 'commander';

import { catchInterrupts } from '../interrupts.ts';
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

const REPORT_MS = 1_000;
/** Registered devices between two lines that say so. */
const SHOWN_EVERY = 100;

const program = new Command('fleet')
  .description('Registers virtual devices, which poll and carry updates through until Ctrl+C')
  .option('--server <url>', 'address of the host', 'http://localhost:8084')
  .addOption(
    new Option('--admin-token <token>', 'of an admin of the organization the devices belong to')
      .env('OPS_ADMIN_TOKEN')
      .makeOptionMandatory(),
  )
  .option('--devices <number>', 'how many', Number, 1_000)
  .option('--type <name>', 'their device type', 'raspberry_pi')
  .option('--version <version>', 'what they run at first', 'v2.0.0')
  .option('--poll-seconds <number>', 'between two polls at the most', Number, 60)
  .option('--step-seconds <number>', 'mean time of a step of an update', Number, 2)
  .option('--failure-share <share>', 'of updates that fail, 0 to 1', Number, 0.01)
  .option('--rollback-share <share>', 'of updates that are rolled back, 0 to 1', Number, 0.01)
  .option('--offline-share <share>', 'of devices that never come, 0 to 1', Number, 0)
  .option('--heartbeat-seconds <number>', 'between two heartbeats; 0: none are sent', Number, 30)
  .option('--connections <number>', 'to the host at the same time', Number, 64)
  .option('--seed <number>', 'repeats an earlier course', Number, Date.now() % 1_000_000);
program.parse();
const options = program.opts<FleetOptions>();

const online = (await fetch(`${options.server}/health`).catch(() => null)) !== null;
if (!online) {
  console.error(`Nothing answers at ${options.server}; start the host with npm start.`);
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
    if (count % SHOWN_EVERY === 0) show(`${count} of ${options.devices} devices are registered`);
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
console.log(`\n${members.length} devices poll; seed ${options.seed}. Ctrl+C ends them.`);

const stop = new AbortController();
const { stopRequested, forceStopRequested } = catchInterrupts();
void stopRequested.then(() => stop.abort());
void forceStopRequested.then(() => process.exit(130));
try {
  let before = { ...fleet.tally };
  for await (const _ of setInterval(REPORT_MS, undefined, { signal: stop.signal })) {
    const { polls, offers, acknowledged, refused, away } = fleet.tally;
    show(
      `${polls - before.polls} polls/s, ${acknowledged - before.acknowledged} reports/s; in all ` +
        `${offers} offers, ${acknowledged} reports, ${refused} refused, ${away} unanswered`,
    );
    before = { ...fleet.tally };
  }
} catch (error) {
  if (!stop.signal.aborted) throw error;
} finally {
  console.log();
  await fleet.stop();
}

/** One line that is written over where there is a terminal. */
function show(text: string): void {
  process.stdout.write(process.stdout.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
}
