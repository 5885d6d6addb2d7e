/**
 * The steps of updates and rollbacks. The agent works from this table: the driver runs the step that the
 * journal has, the journal refuses a transition that is not here, and a start after a power cut does what
 * `afterPowerCut` says. `npm run docs` writes the same table into docs/agent.md. Pure.
 */
import type { FailureCause, ReportedStatus } from '../../../backend/contract/states.ts';

export type RollbackStep = 'restore' | 'reboot_restored' | 'verify_restored' | 'end';
export type UpdateStep =
  | 'download'
  | 'extract'
  | 'snapshot'
  | 'install'
  | 'reboot'
  | 'verify'
  | 'trial'
  | 'commit'
  | RollbackStep;

export type EndStatus = Extract<ReportedStatus, 'completed' | 'failed' | 'rolled_back' | 'skipped'>;

/** Key of the configuration that says how often a step may be interrupted. */
export type InterruptionLimit = 'install.max_interrupted_starts' | 'health.max_interrupted_runs';

/** What a start does that finds the step in the journal: power failed, or the agent was killed or stopped. */
export type AfterPowerCut<Step> = {
  /** For the page that documents it. */
  words: string;
} & (
  | {
      action: 'repeat';
      /** How often, and the step that follows when that is used up. Without one: as often as it takes. */
      limit?: { key: InterruptionLimit; then: Step };
    }
  | { action: 'roll_back'; reason: string }
);

export interface StepRule<Step = UpdateStep> {
  /** What happens in the step; for the page that documents it. */
  words: string;
  /** What is reported to the server. */
  report: ReportedStatus | null;
  afterPowerCut: AfterPowerCut<Step>;
  next: readonly Step[];
  /** How the attempt can end, where `end` is among the next steps. */
  endsAs: readonly EndStatus[];
  /** The cause that is reported when the step fails for no more specific one. */
  failureCause: FailureCause;
}

const START_LIMIT = { key: 'install.max_interrupted_starts', then: 'end' } as const;

export const UPDATE_STEPS = {
  download: {
    words:
      'the signature is verified where keys are configured; the package is downloaded, resumed where possible, and its SHA-256 checked',
    report: 'downloading',
    afterPowerCut: { words: 'resumes the download', action: 'repeat', limit: START_LIMIT },
    next: ['extract', 'end'],
    endsAs: ['failed', 'skipped'],
    failureCause: 'download',
  },
  extract: {
    words:
      'maintenance window, permission command and the connection to the server are checked; then the package is unpacked into a private folder',
    report: 'downloading',
    afterPowerCut: { words: 'checks and unpacks again', action: 'repeat', limit: START_LIMIT },
    next: ['snapshot', 'end'],
    endsAs: ['failed', 'skipped'],
    failureCause: 'verification',
  },
  snapshot: {
    words:
      '`snapshot_paths` are copied; maintenance window, permission command and connection are checked a last time',
    report: 'installing',
    afterPowerCut: {
      words: 'checks, unpacks and copies again',
      action: 'repeat',
      limit: START_LIMIT,
    },
    // Back to `extract` when the package had to be dropped to make room for the journal.
    next: ['install', 'extract', 'end'],
    endsAs: ['failed', 'skipped'],
    failureCause: 'other',
  },
  install: {
    words: '`install.sh` runs; then everything is flushed to the disk',
    report: null,
    afterPowerCut: {
      words: '**never runs it again: rolls back**',
      action: 'roll_back',
      reason: 'The device or the agent stopped while install.sh was running.',
    },
    next: ['reboot', 'verify', 'restore'],
    endsAs: [],
    failureCause: 'install',
  },
  reboot: {
    words:
      'only where `install.sh` requests it: everything is flushed, the boot loader is told to try the new system, and `reboot.command` runs within the maintenance window; see [Reboots](#reboots)',
    report: 'verifying',
    afterPowerCut: {
      words: 'after a reboot: continues with `verify`; without one: reboots, three times at most',
      action: 'repeat',
    },
    next: ['verify', 'restore'],
    endsAs: [],
    failureCause: 'reboot',
  },
  verify: {
    words: 'health checks run; a report has to reach the server; then everything is flushed again',
    report: 'verifying',
    afterPowerCut: {
      words: 'checks again',
      action: 'repeat',
      limit: { key: 'health.max_interrupted_runs', then: 'restore' },
    },
    next: ['trial', 'commit', 'restore'],
    endsAs: [],
    failureCause: 'health',
  },
  trial: {
    words:
      'only where the package brings a new agent: the launcher starts it, and it has to reach the server; see [Self-update](#self-update)',
    report: null,
    afterPowerCut: {
      words: 'tries the new agent again',
      action: 'repeat',
      limit: { key: 'health.max_interrupted_runs', then: 'restore' },
    },
    next: ['commit', 'restore'],
    endsAs: [],
    failureCause: 'health',
  },
  commit: {
    words: 'the new version is recorded; the snapshot is kept for a later rollback',
    report: null,
    afterPowerCut: { words: 'commits again: the new version stays', action: 'repeat' },
    next: ['end'],
    endsAs: ['completed'],
    failureCause: 'other',
  },
  restore: {
    words:
      'what the script left running is killed; the snapshot is restored; `rollback.after_restore_command` runs',
    report: null,
    afterPowerCut: {
      words: 'restores again; what is restored already is left alone',
      action: 'repeat',
    },
    next: ['reboot_restored', 'verify_restored'],
    endsAs: [],
    failureCause: 'other',
  },
  reboot_restored: {
    words: 'only where the new system runs or files for the boot were restored: the device reboots',
    report: null,
    afterPowerCut: {
      words: 'after a reboot: continues; without one: reboots, three times at most',
      action: 'repeat',
    },
    next: ['verify_restored'],
    endsAs: [],
    failureCause: 'other',
  },
  verify_restored: {
    words: 'health checks run on the old version',
    report: null,
    afterPowerCut: {
      words: 'checks again',
      action: 'repeat',
      limit: { key: 'health.max_interrupted_runs', then: 'end' },
    },
    next: ['end'],
    endsAs: ['rolled_back'],
    failureCause: 'other',
  },
  end: {
    words: 'report and log are put into the outbox; everything the attempt left is removed',
    report: null,
    afterPowerCut: { words: 'reports again; the server ignores the duplicate', action: 'repeat' },
    next: [],
    endsAs: [],
    failureCause: 'other',
  },
} as const satisfies Record<UpdateStep, StepRule>;

/** A rollback the server requests has the last steps of an update that failed. */
export const ROLLBACK_STEPS = {
  restore: UPDATE_STEPS.restore,
  reboot_restored: UPDATE_STEPS.reboot_restored,
  verify_restored: UPDATE_STEPS.verify_restored,
  end: UPDATE_STEPS.end,
} as const satisfies Record<RollbackStep, StepRule<RollbackStep>>;

type AnyWork = { kind: 'update'; step: UpdateStep } | { kind: 'rollback'; step: RollbackStep };

export function ruleOf(work: AnyWork): StepRule {
  return work.kind === 'update' ? UPDATE_STEPS[work.step] : ROLLBACK_STEPS[work.step];
}

/** A fault of the agent: nothing is written, so that the work stays where it was. */
export class IllegalTransition extends Error {
  override readonly name = 'IllegalTransition';
}

/**
 * @param to the next step; the same one is allowed
 * @param endsAs what is reported at the step `end`
 * @throws {IllegalTransition}
 */
export function requireTransition(
  work: AnyWork,
  to: UpdateStep,
  endsAs: EndStatus | undefined,
): void {
  if (to === work.step) return;
  const { next, endsAs: ends } = ruleOf(work);
  const endsWell = to !== 'end' || (endsAs !== undefined && ends.includes(endsAs));
  if (next.includes(to) && endsWell) return;
  const how = to === 'end' ? ` as ${endsAs ?? 'nothing'}` : '';
  throw new IllegalTransition(`The step ${work.step} cannot be followed by ${to}${how}.`);
}
