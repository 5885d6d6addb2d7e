/**
 * From the first change of the device to the decision: `install.sh`, then the new version on trial. It
 * stays when it is healthy and has reached the server; docs/decisions/stays-once-the-server-heard.md
 * says why.
 */
import { raiseSequence } from '../state/installed-sequence.ts';
import { writeCurrentVersion } from '../state/current-version.ts';
import { AgentStopping, StepFailure, messageOf } from '../../kernel/errors.ts';
import { logFault } from '../../logging/logger.ts';
import type { Manifest } from '../../../backend/contract/signing/manifest.ts';
import { flushDisks } from '../process/flush.ts';
import { installationMark } from '../process/installation-mark.ts';
import { describeAnswer } from '../network/answers.ts';
import type { Receipt } from '../reports/outbox.ts';
import { withRoom } from '../../files/room.ts';
import { runInstallScript } from '../steps/install.ts';
import { IRREVERSIBLE_VARIABLE, irreversibleFile } from '../steps/irreversible.ts';
import { markCommitted, removeSnapshot } from '../steps/snapshot.ts';
import { pause } from '../../kernel/waiting.ts';
import { askServer, untilServerKnowsUs } from './server-contact.ts';
import { concludeTrial, findNewAgent, prepareAgentFolder } from './agent-trial.ts';
import { countedHealthRun, requireHealthy, scriptEnvironment } from './going-back.ts';
import type { RunningUpdate } from './running-update.ts';

/** The step `install`. Goes on to `verify` or `restore`. */
export async function install(update: RunningUpdate, manifest: Manifest | null): Promise<void> {
  const { parts, log } = update;
  await update.advance({ step: 'install', sequence: manifest?.sequence ?? null });
  try {
    log.line('running install.sh');
    await runInstallScript({
      folder: update.unpackedDir,
      mark: installationMark(parts.config.state_dir, update.work.run_id),
      env: {
        ...scriptEnvironment(parts, update.work),
        [IRREVERSIBLE_VARIABLE]: irreversibleFile(update.snapshotDir),
        ...(await prepareAgentFolder(parts, update.work.run_id)),
      },
      limits: parts.config.install,
      onOutput: (chunk) => log.write(chunk),
    });
    await flushDisks();
    log.line('install.sh succeeded');
    await update.advance({ step: 'verify', health_runs: 0 });
  } catch (error) {
    await goBack(update, messageOf(error));
  }
}

/**
 * The step `verify`. Goes on to `trial`, `commit` or `restore`.
 * @throws {AgentStopping} the next start checks again
 */
export async function verify(update: RunningUpdate): Promise<void> {
  const { parts, log, work } = update;
  const { max_interrupted_runs: limit } = parts.config.health;
  if (work.health_runs >= limit) {
    return goBack(
      update,
      `The health check was cut off ${work.health_runs} times by the agent or the device stopping.`,
    );
  }
  try {
    const report = await update.reports.send({ status: 'verifying' });
    await countedHealthRun(parts, work, async () => {
      await requireHealthy(parts, work, log);
      log.line('healthy');
      if (parts.config.commit.require_report) {
        await requireServerHeard(update, report);
      }
    });
    await flushDisks();
    const agent = await findNewAgent(parts, work.run_id);
    await update.advance(
      agent === null ? { step: 'commit' } : { step: 'trial', agent, health_runs: 0 },
    );
  } catch (error) {
    if (error instanceof AgentStopping) throw error;
    await goBack(update, messageOf(error));
  }
}

/**
 * Waits until the server has recorded a report of the new version. A server that refuses the report for
 * good will never record one, and says nothing about the version: then a poll has to be answered as the
 * contract says. Past the deadline a poll is the last question: a server that answers it, or that says
 * that it cannot (5xx, 429, 401), is no fault of this version. Silence, and answers of something else,
 * are held against it.
 * @throws {StepFailure}
 */
async function requireServerHeard(
  { parts, log }: RunningUpdate,
  { delivery }: Receipt,
): Promise<void> {
  const { deadline_seconds: limit } = parts.config.commit;
  const waiting = new AbortController();
  const signal = AbortSignal.any([parts.stopping, waiting.signal]);
  const heard = delivery.then(async ({ recorded, answer }) => {
    if (recorded) return 'the server has recorded a report of the new version';
    log.line(`the server refused the report: ${describeAnswer(answer)}`);
    await untilServerKnowsUs(parts, signal);
    return 'the server knows the new version';
  });
  heard.catch(() => undefined);
  const timeUp = pause(limit * 1000, signal).then(() => null);
  const how = await Promise.race([heard, timeUp]).finally(() => waiting.abort());
  if (how !== null) return log.line(how);
  const contact = await askServer(parts, parts.stopping);
  if (contact.kind === 'none') {
    throw new StepFailure(
      `The new version is healthy, but in ${limit} seconds it did not reach the server, which the version before did: ${contact.why}`,
    );
  }
  log.line(`the server answers, though it took no report in ${limit} seconds; the version stays`);
}

/**
 * The step `trial`, where the update brings a new agent. Goes on to `commit` or `restore`.
 * @throws {AgentHandingOver} the launcher has to start the new agent
 */
export async function tryNewAgent(update: RunningUpdate): Promise<void> {
  const { agent } = update.work;
  if (agent === null) return goBack(update, 'The journal does not name the new agent.');
  const rejected = await concludeTrial(update.parts, { ...update.work, agent });
  if (rejected) return goBack(update, rejected.failure);
  update.log.line(`the new agent ${agent.slice(0, 12)} works`);
  await update.advance({ step: 'commit' });
}

/** The step `commit`: may be done again after a power cut. */
export async function commit(update: RunningUpdate): Promise<void> {
  const { config, journal } = update.parts;
  const { run_id, deployment_id, previous_version: version, target_version } = update.work;
  await writeCurrentVersion(config, target_version);
  if (update.work.sequence !== null) await raiseSequence(config, update.work.sequence);
  if (config.keep_snapshot) {
    await withRoom(config.state_dir, () => markCommitted(update.snapshotDir));
    await journal.setKept({ run_id, deployment_id, version, replaced_by: target_version });
  } else {
    for (const fault of await removeSnapshot(update.snapshotDir)) update.log.line(fault);
    await journal.setKept(null);
  }
  await update.decideEnd({
    status: 'completed',
    error_message: null,
    installed_version: target_version,
  });
}

/**
 * Even when the journal cannot be written, as long as it says `install`: that leads back, too. From
 * any other step it would not, and going back unnoticed could end with the old files called new.
 */
export async function goBack(update: RunningUpdate, reason: string): Promise<void> {
  update.log.line(reason);
  const change = { step: 'restore', reason, health_runs: 0 } as const;
  try {
    await update.advance(change);
  } catch (error) {
    const { journal, logger } = update.parts;
    if ((await journal.stepOnDisk()) !== 'install') throw error;
    logFault(logger, error, 'the journal cannot be written; going back anyway');
    update.become({ ...update.work, ...change });
  }
}
