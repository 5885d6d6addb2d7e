/**
 * Carries an update through its steps, from wherever the journal says it stands. Each step is
 * written down before it acts; the journal's table is in docs/agent.md.
 */
import { join } from 'node:path';
import { type AgentParts } from './agent-parts.ts';
import { workDir } from '../../files/state-folder.ts';
import { InstallLog } from '../reports/install-log.ts';
import type { ActiveUpdate, EndReport, UpdateStep } from '../state/journal.ts';
import { restore, verifyRestored } from './going-back.ts';
import { prepare } from './preparation.ts';
import { RunningUpdate } from './running-update.ts';
import { commit, goBack, install, tryNewAgent, verify } from './trial.ts';
import { endWork, keepFetched, removeUnused } from './work-end.ts';

/** Steps in which the device is still untouched. */
const UNTOUCHED: ReadonlySet<UpdateStep> = new Set(['download', 'extract', 'snapshot']);

/**
 * @returns how the attempt ended; `null` when the server withdrew it and expects no report
 * @throws {AgentStopping} at a safe point; the next start continues
 * @throws {NotNow} the device's own rules ask to wait; the next cycle continues
 * @throws {RestoreIncomplete} the next cycle tries again
 */
export async function carryOutUpdate(
  parts: AgentParts,
  work: ActiveUpdate,
): Promise<EndReport | null> {
  const dir = workDir(parts.config.state_dir, work.run_id);
  const log = new InstallLog(join(dir, 'install.log'));
  try {
    const update = new RunningUpdate(parts, work, log);
    const end = await runSteps(update);
    if (end) await endWork(parts, update.work, end, log);
    else {
      await parts.journal.finish(work, null);
      await keepFetched(parts, work);
      await removeUnused(parts);
    }
    return end;
  } finally {
    log.close();
  }
}

async function runSteps(update: RunningUpdate): Promise<EndReport | null> {
  const { parts, log } = update;
  const stands = (step: UpdateStep): boolean => update.work.step === step;
  if (UNTOUCHED.has(update.work.step)) {
    const preparation = await prepare(update);
    if (preparation.kind === 'withdrawn') return null;
    if (preparation.kind === 'ready') await install(update, preparation.manifest);
  } else if (stands('install')) {
    await goBack(update, 'The device or the agent stopped while install.sh was running.');
  }
  if (stands('verify')) await verify(update);
  if (stands('trial')) await tryNewAgent(update);
  if (stands('commit')) await commit(update);
  if (stands('restore')) update.become(await restore(parts, update.work, log));
  if (stands('verify_restored')) {
    await update.decideEnd(await verifyRestored(parts, update.work, log));
  }
  return update.work.end;
}
