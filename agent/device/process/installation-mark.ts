/**
 * Identifies the processes of one installation among all others on the machine. Pure. Several agents may run
 * side by side, each with its own state folder, and take part in the same deployment.
 */
import { createHash } from 'node:crypto';

/** `<agent>-<run>`: fit for a file name and for the value of a variable. */
export function installationMark(stateDir: string, runId: string): string {
  return `${agentMark(stateDir)}-${digest(runId)}`;
}

/** The prefix of all marks of one agent. */
export function agentMark(stateDir: string): string {
  return digest(stateDir);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
