/** Whether the device may be changed right now: maintenance window, then the permission command. */
import { type AgentParts } from '../agent-parts.ts';
import { NotNow } from '../errors.ts';
import { describeResult, runCommand } from '../process/run-command.ts';

const OUTPUT_LIMIT = 4096;
const KILL_GRACE_MS = 1000;

export interface MaintenanceWindow {
  /** hh:mm, local time. */
  start: string;
  /** hh:mm; before `start` it means the next day. The window then belongs to the day it starts on. */
  end: string;
  /** 0 (Sunday) … 6; every day unless given. */
  days?: number[];
}

/** Pure: local time decides. */
export function isInWindow(window: MaintenanceWindow, now: Date): boolean {
  const minutes = now.getHours() * 60 + now.getMinutes();
  const start = minutesOf(window.start);
  const end = minutesOf(window.end);
  const today = now.getDay();
  const allows = (day: number): boolean => window.days?.includes((day + 7) % 7) ?? true;
  if (start < end) return minutes >= start && minutes < end && allows(today);
  return (minutes >= start && allows(today)) || (minutes < end && allows(today - 1));
}

/** @throws {NotNow} with the reason */
export async function requirePermission(
  { config, stopping }: AgentParts,
  env: Record<string, string>,
): Promise<void> {
  const { window, permission_command: hook } = config.install;
  if (window && !isInWindow(window, new Date())) {
    throw new NotNow(`outside the maintenance window ${window.start}–${window.end}`);
  }
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
  const fault = describeResult(result, timeoutMs);
  if (fault) {
    const said = result.output.trim().slice(-300);
    throw new NotNow(`install.permission_command ${fault}${said ? `: ${said}` : ''}`);
  }
}

function minutesOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}
