/**
 * What tells the processes of one installation from all others on the machine. Pure. Several agents may
 * live side by side, each with a state folder of its own, and take part in the same deployment.
 */
import { createHash } from 'node:crypto';

/** `<agent>-<run>`: fit for a file name and for the value of a variable. */
export function installationMark(stateDir: string, runId: string): string {
  return `${agentMark(stateDir)}-${digest(runId)}`;
}

/** What the marks of one agent begin with. */
export function agentMark(stateDir: string): string {
  return digest(stateDir);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
