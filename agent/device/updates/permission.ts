/** Whether the device may be changed now: maintenance window and permission command. */
import type { AgentConfig } from '../config/agent-config.ts';
import { Deferred } from '../../kernel/errors.ts';
import { describeWithOutput, runCommand } from '../process/run-command.ts';

const OUTPUT_LIMIT = 4096;
const KILL_GRACE_MS = 1000;

export interface MaintenanceWindow {
  /** hh:mm, local time. */
  start: string;
  /**
   * hh:mm; when not after `start`, on the next day. The window then belongs to the day it starts on.
   */
  end: string;
  /** 0 (Sunday) … 6; every day unless given. */
  days?: number[];
}

/**
 * Pure, in local time. When daylight saving time begins, a window inside the skipped hour does not open that
 * day; when it ends, the repeated hour counts twice.
 */
export function isInWindow(window: MaintenanceWindow, now: Date): boolean {
  const minutes = now.getHours() * 60 + now.getMinutes();
  const start = minutesOf(window.start);
  const end = minutesOf(window.end);
  const today = now.getDay();
  const allows = (day: number): boolean => window.days?.includes((day + 7) % 7) ?? true;
  if (start < end) return minutes >= start && minutes < end && allows(today);
  return (minutes >= start && allows(today)) || (minutes < end && allows(today - 1));
}

/**
 * For updates only: a requested rollback does not wait for the window.
 * @throws {Deferred}
 */
export function requireWindow(window: MaintenanceWindow | undefined, now: Date): void {
  if (window && !isInWindow(window, now)) {
    throw new Deferred(`outside the maintenance window ${window.start}–${window.end}`);
  }
}

/**
 * For updates and requested rollbacks: only the device knows whether it can be disturbed now.
 * @throws {Deferred} with the output of the command
 * @throws {AgentStopping}
 */
export async function requirePermission(
  config: AgentConfig,
  env: Record<string, string>,
  stopping: AbortSignal,
): Promise<void> {
  const { permission_command: hook } = config.install;
  if (!hook) return;
  const timeoutMs = hook.timeout_seconds * 1000;
  const result = await runCommand({
    file: 'bash',
    args: ['-c', hook.command],
    cwd: config.root,
    env,
    timeoutMs,
    graceMs: KILL_GRACE_MS,
    outputLimit: OUTPUT_LIMIT,
    signal: stopping,
  });
  stopping.throwIfAborted();
  const fault = describeWithOutput(result, timeoutMs);
  if (fault) throw new Deferred(`install.permission_command ${fault}`);
}

function minutesOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}
