/** What `npm run demo:reboot` prints. */
import { printTable } from '../demo/summary.ts';
import type { ScenarioResult } from './scenarios.ts';

const HEAD = [
  'update',
  'power cut at',
  'install',
  'reboot',
  'verify',
  'total',
  'GRUB started',
  'Ops-Center',
  'runs now',
  'agree',
];

/** Durations in seconds. */
export function printResults(results: readonly ScenarioResult[]): void {
  printTable(HEAD, results.map(rowOf));
  for (const { name, disagreements } of results) {
    for (const disagreement of disagreements) console.log(`${name}: ${disagreement}`);
  }
}

function rowOf(result: ScenarioResult): string[] {
  const { name, before, version, phases, started, panics, target, device, cut } = result;
  return [
    `${name}, ${before.version.version} → ${version.version}`,
    cut ? `${seconds(cut.at)} (${cut.during})` : '',
    seconds(phases.install),
    seconds(phases.reboot),
    seconds(phases.verify),
    seconds(phases.total),
    `${started.map((slot) => slot.replace('slot-', '').toUpperCase()).join(' ')}${panics > 0 ? `, ${panics} panic` : ''}`,
    `${target.status} ${target.current_version}`,
    `${device.system} in ${device.slot}, ${device.kernel.replace('-cloud-amd64', '')}`,
    result.disagreements.length === 0 ? 'yes' : 'NO',
  ];
}

function seconds(value: number | null): string {
  return value === null ? '' : value.toFixed(1);
}
