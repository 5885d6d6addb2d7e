/** The demo's proof: what the server says of each device, beside what lies in its sandbox. */
import type { DeploymentDetail, TargetView } from '../../backend/contract/admin-api.ts';
import type { SandboxDevice } from './sandbox-device.ts';
import { NEW_VERSION, OLD_VERSION } from './update-package.ts';

export interface DeviceResult {
  name: string;
  /** The target's status, or `not a target`. */
  server: string;
  serverVersion: string | null;
  /** From the files; `null` when they are of no version. */
  sandboxVersion: string | null;
  agrees: boolean;
  remark: string;
}

export async function checkSandboxes(
  devices: SandboxDevice[],
  targets: Map<string, TargetView>,
): Promise<DeviceResult[]> {
  return Promise.all(
    devices.map(async (device) => {
      const target = targets.get(device.id);
      const sandboxVersion = await device.installedVersion();
      const serverVersion = target?.current_version ?? OLD_VERSION;
      const expected = target?.status === 'completed' ? NEW_VERSION : OLD_VERSION;
      return {
        name: device.name,
        server: target?.status ?? 'not a target',
        serverVersion,
        sandboxVersion,
        agrees: sandboxVersion === serverVersion && sandboxVersion === expected,
        remark: firstLine(target?.error_message),
      };
    }),
  );
}

export function printSummary(results: DeviceResult[], detail: DeploymentDetail): void {
  const rows = results.map((result) => [
    result.name,
    result.server,
    result.serverVersion ?? 'unknown',
    result.sandboxVersion ?? 'BETWEEN VERSIONS',
    result.agrees ? 'yes' : 'NO',
    result.remark,
  ]);
  printTable(['device', 'server says', 'version', 'sandbox holds', 'agree', ''], rows);
  const { progress } = detail;
  console.log(
    `\nThe deployment is "${detail.status}": ${progress.completed} completed, ` +
      `${progress.rolled_back} rolled back, ${progress.failed} failed, ` +
      `${progress.skipped} skipped, ${progress.pending} pending of ${progress.total_devices}.`,
  );
  if (detail.status === 'failed') {
    console.log(
      '(So it should be: one device cannot run the new version, and a deployment with a device that failed or went back counts as failed.)',
    );
  }
}

function printTable(head: string[], rows: string[][]): void {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  console.log(`\n${line(head)}\n${line(widths.map((width) => '─'.repeat(width)))}`);
  for (const row of rows) console.log(line(row));
}

/** As much of a message as a line of the terminal takes. */
export function firstLine(text: string | null | undefined): string {
  const line = (text ?? '').split('\n')[0] ?? '';
  return line.length > 70 ? `${line.slice(0, 69)}…` : line;
}
