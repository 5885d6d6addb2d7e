/** Compares the server's view of each device with the files in its sandbox. */
import type { DeploymentDetail, TargetView } from '../../backend/contract/admin-api.ts';
import type { SandboxDevice } from './sandbox-device.ts';
import { NEW_VERSION, OLD_VERSION } from './update-package.ts';

export interface DeviceResult {
  name: string;
  /** Status of the target, or `not a target`. */
  serverStatus: string;
  serverVersion: string | null;
  /** `null`: the files match no version. */
  sandboxVersion: string | null;
  /** Whether both versions are the one that the status implies. */
  matches: boolean;
  /** First line of the error message. */
  error: string;
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
        serverStatus: target?.status ?? 'not a target',
        serverVersion,
        sandboxVersion,
        matches: sandboxVersion === serverVersion && sandboxVersion === expected,
        error: firstLine(target?.error_message),
      };
    }),
  );
}

export function printSummary(results: DeviceResult[], detail: DeploymentDetail): void {
  const rows = results.map((result) => [
    result.name,
    result.serverStatus,
    result.serverVersion ?? 'unknown',
    result.sandboxVersion ?? 'MIXED',
    result.matches ? 'yes' : 'NO',
    result.error,
  ]);
  printTable(['device', 'status', 'server', 'sandbox', 'match', 'error'], rows);
  const { progress } = detail;
  console.log(
    `\nDeployment ${detail.status}: ${progress.completed} completed, ` +
      `${progress.rolled_back} rolled back, ${progress.failed} failed, ` +
      `${progress.skipped} skipped, ${progress.pending} pending of ${progress.total_devices}.`,
  );
  if (detail.status === 'failed') {
    console.log('(This is expected: a deployment fails if any device failed or rolled back.)');
  }
}

export function printTable(head: readonly string[], rows: readonly string[][]): void {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  console.log(`\n${line(head)}\n${line(widths.map((width) => '─'.repeat(width)))}`);
  for (const row of rows) console.log(line(row));
}

/** The first line of a message, at most 70 characters. */
export function firstLine(text: string | null | undefined): string {
  const line = (text ?? '').split('\n')[0] ?? '';
  return line.length > 70 ? `${line.slice(0, 69)}…` : line;
}
