/**
 * The open work of the agent, on disk. A step is written before it acts, so that after a power cut the next
 * start knows what may have happened. step-table.ts has all steps.
 */
import { createHash } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FailureCause } from '../../../backend/contract/states.ts';
import { readIfPresent, writeDurable } from '../../files/durable-file.ts';
import { withRoom } from '../../files/room.ts';
import {
  type EndStatus,
  type RollbackStep,
  type UpdateStep,
  requireTransition,
} from './step-table.ts';

/** Number of finished attempts that are stored, so that no offer is carried out twice. */
const FINISHED_KEPT = 50;

/** The result of an attempt: its last report. */
export interface EndReport {
  status: EndStatus;
  error_message: string | null;
  /** Of the product that the attempt was for. */
  installed_version: string | null;
  /** Missing: unknown, or nothing failed. */
  failure_cause?: FailureCause;
  /** See {@link ActiveWork}. Missing: the main product. */
  component?: string;
}

interface Work {
  /** Names the attempt's folders, and marks the processes its script starts. */
  run_id: string;
  deployment_id: string;
  attempt: number;
  /** Name of the package, if it is not the device's main product; `null`: the main product. */
  component: string | null;
  /** Why the device rolls back. */
  reason: string | null;
  /** The same as one of a few kinds; `null`: nothing failed. */
  failure_cause: FailureCause | null;
  /** Health checks of the current step that were interrupted: the agent was killed meanwhile. */
  health_runs: number;
  restore_failures: number;
  /** `null`: no reboot was requested. */
  reboot: RebootProgress | null;
  end: EndReport | null;
}

export interface RebootProgress {
  /** Boot id of the latest start of the device that the agent has seen. */
  boot_id: string;
  /** Starts of the new system so far. */
  boots: number;
  /** Reboots requested in this boot. */
  requests: number;
}

export interface ActiveUpdate extends Work {
  kind: 'update';
  step: UpdateStep;
  target_version: string;
  previous_version: string | null;
  package_url: string;
  checksum: string;
  manifest: string | null;
  signature: string | null;
  /** From the verified manifest, once the script may run; recorded by the commit. */
  sequence: number | null;
  /** SHA-256 of the new agent in this update, which gets a trial. */
  agent: string | null;
  /** Interrupted runs of the current step: the agent was killed meanwhile. Up to `snapshot`. */
  starts: number;
  /** Bytes of the package that were on disk when the last of these runs started. */
  fetched_bytes: number;
  /** Boot id of the system in which `install.sh` was started; `null` before, or where unknown. */
  boot_id: string | null;
}

/** The part of an update that is the same for every offer. */
export const UNSTARTED_UPDATE = {
  kind: 'update',
  component: null,
  sequence: null,
  agent: null,
  starts: 0,
  fetched_bytes: 0,
  reason: null,
  failure_cause: null,
  health_runs: 0,
  restore_failures: 0,
  reboot: null,
  boot_id: null,
  end: null,
} as const satisfies Partial<ActiveUpdate>;

/** A rollback the server requested after the update had finished. */
export interface ActiveRollback extends Work {
  kind: 'rollback';
  step: RollbackStep;
  /** The version to restore; `null` when it was never known. */
  previous_version: string | null;
  /** The version to be replaced. */
  target_version: string;
}

/** A component as those records name it that leave the main product out. */
export function namedComponent(component: string | null): { component?: string } {
  return component === null ? {} : { component };
}

export type ActiveWork = ActiveUpdate | ActiveRollback;

/** The snapshot of `snapshot_paths` from before the installed version. */
export interface KeptSnapshot {
  run_id: string;
  deployment_id: string;
  /** Missing: the main product. */
  component?: string;
  version: string | null;
  replaced_by: string;
}

export interface FinishedAttempt {
  deployment_id: string;
  attempt: number;
  ended_at: string;
  end: EndReport;
  /** Bytes of log sent for this attempt; a later rollback's log is appended to them. */
  log_bytes: number;
}

export interface JournalState {
  active: ActiveWork | null;
  kept: KeptSnapshot | null;
  finished: FinishedAttempt[];
}

export interface LoadedJournal {
  journal: Journal;
  /** New path of an unreadable journal; the caller has to find out what was in progress. */
  damaged: string | null;
}

export class Journal {
  readonly #path: string;
  #state: JournalState;

  private constructor(path: string, state: JournalState) {
    this.#path = path;
    this.#state = state;
  }

  static async load(stateDir: string): Promise<LoadedJournal> {
    const path = join(stateDir, 'journal.json');
    const text = await readIfPresent(path);
    if (text === null) return { journal: new Journal(path, emptyState()), damaged: null };
    const state = decode(text);
    if (state) return { journal: new Journal(path, state), damaged: null };
    const damaged = `${path}.damaged`;
    await rename(path, damaged);
    return { journal: new Journal(path, emptyState()), damaged };
  }

  get state(): Readonly<JournalState> {
    return this.#state;
  }

  /** Durable when it resolves. The work object passed in is not touched. */
  async setActive(active: ActiveWork | null): Promise<void> {
    await this.#write({ ...this.#state, active });
  }

  /**
   * Changes some fields of the open work and returns it as it is now.
   * @throws {IllegalTransition} before anything is written
   */
  async advance<T extends ActiveWork>(work: T, change: Partial<T>): Promise<T> {
    if (change.step) requireTransition(work, change.step, change.end?.status);
    const next = { ...work, ...change };
    await this.setActive(next);
    return next;
  }

  async setKept(kept: KeptSnapshot | null): Promise<void> {
    await this.#write({ ...this.#state, kept });
  }

  /** Closes the open work; with a result it is kept among the finished attempts. */
  async finish(
    work: Pick<Work, 'deployment_id' | 'attempt'>,
    result: Pick<FinishedAttempt, 'end' | 'ended_at' | 'log_bytes'> | null,
  ): Promise<void> {
    const { deployment_id, attempt } = work;
    const others = this.#state.finished.filter((one) => !sameAttempt(one, work));
    const finished = result
      ? [...others, { deployment_id, attempt, ...result }].slice(-FINISHED_KEPT)
      : others;
    await this.#write({ ...this.#state, active: null, finished });
  }

  findFinished(deploymentId: string, attempt: number): FinishedAttempt | undefined {
    const wanted = { deployment_id: deploymentId, attempt };
    return this.#state.finished.find((one) => sameAttempt(one, wanted));
  }

  /** The step on disk; a write that failed may still have reached it. */
  async stepOnDisk(): Promise<ActiveWork['step'] | null> {
    return decode((await readIfPresent(this.#path)) ?? '')?.active?.step ?? null;
  }

  async #write(state: JournalState): Promise<void> {
    const text = encode(state);
    await withRoom(dirname(this.#path), () => writeDurable(this.#path, text));
    this.#state = state;
  }
}

function sameAttempt(
  a: { deployment_id: string; attempt: number },
  b: { deployment_id: string; attempt: number },
): boolean {
  return a.deployment_id === b.deployment_id && a.attempt === b.attempt;
}

function emptyState(): JournalState {
  return { active: null, kept: null, finished: [] };
}

/** With a digest, by which a journal is recognized that a failing disk damaged. */
function encode(state: JournalState): string {
  const body = JSON.stringify(state);
  return JSON.stringify({ format: 1, sha256: digest(body), state });
}

function decode(text: string): JournalState | null {
  try {
    const file = JSON.parse(text) as { format: number; sha256: string; state: JournalState };
    if (file.format !== 1 || file.sha256 !== digest(JSON.stringify(file.state))) return null;
    return withDefaults(file.state);
  } catch {
    return null;
  }
}

/** Fields that are missing in the journal of an older agent that was replaced in the middle of an update. */
const NEWER_FIELDS = { component: null, failure_cause: null, reboot: null } as const;
const NEWER_UPDATE_FIELDS = {
  ...NEWER_FIELDS,
  starts: 0,
  fetched_bytes: 0,
  agent: null,
  boot_id: null,
} as const;

function withDefaults(state: JournalState): JournalState {
  const { active } = state;
  if (active === null) return state;
  const newer = active.kind === 'update' ? NEWER_UPDATE_FIELDS : NEWER_FIELDS;
  return { ...state, active: { ...newer, ...active } as ActiveWork };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Reads the journal without moving a damaged one; for `status`. */
export async function peekJournal(stateDir: string): Promise<JournalState | null> {
  const text = await readIfPresent(join(stateDir, 'journal.json'));
  return text === null ? emptyState() : decode(text);
}
