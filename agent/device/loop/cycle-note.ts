/** How the last cycle went, for `ota-agent status` only: it may be lost. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { readIfPresent } from '../../files/durable-file.ts';
import type { CycleResult } from './cycle.ts';

export interface CycleNote {
  at: string;
  result: string;
  why: string | null;
  next_poll_at: string | null;
}

/** Never rejects. */
export async function noteCycle(
  stateDir: string,
  logger: Logger,
  result: CycleResult,
  nextPollAt: Date | null,
): Promise<void> {
  const note: CycleNote = {
    at: new Date().toISOString(),
    result: result.kind === 'ended' ? result.end.status : result.kind,
    why: 'why' in result ? result.why : null,
    next_poll_at: nextPollAt?.toISOString() ?? null,
  };
  try {
    await writeFile(cycleFile(stateDir), JSON.stringify(note), { mode: 0o600 });
  } catch (error) {
    logger.debug({ err: error }, 'the result of the cycle could not be stored');
  }
}

export async function readCycleNote(stateDir: string): Promise<CycleNote | null> {
  try {
    return JSON.parse((await readIfPresent(cycleFile(stateDir))) ?? 'null') as CycleNote;
  } catch {
    return null;
  }
}

export async function removeCycleNote(stateDir: string): Promise<void> {
  await rm(cycleFile(stateDir), { force: true });
}

function cycleFile(stateDir: string): string {
  return join(stateDir, 'last-cycle.json');
}
