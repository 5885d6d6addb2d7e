/** `ota-agent status`. Only reads; works beside a running agent. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Components } from '../../../backend/contract/device-api.ts';
import type { Protection } from '../../../backend/contract/states.ts';
import { readComponents } from '../state/components.ts';
import { readCurrentVersion } from '../state/current-version.ts';
import type { BootAdapter } from '../boot/boot-adapter.ts';
import { requireAsConfigured } from '../boot/reboot-command.ts';
import { createBootAdapter } from '../boot/create-boot-adapter.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { messageOf } from '../../kernel/errors.ts';
import { readCredentials } from '../state/credentials.ts';
import { isTemporary } from '../../files/durable-file.ts';
import { peekJournal } from '../state/journal.ts';
import { lockHolder } from '../../files/lock.ts';
import { launcherHome } from '../../handoff/launched-as.ts';
import {
  INITIAL_STATE,
  readLauncherState,
  readRequests,
  settle,
} from '../../handoff/launcher-state.ts';
import { PROTECTION_WORDS, readProtection } from '../updates/protection.ts';
import { type CycleNote, readCycleNote } from '../loop/cycle-note.ts';

export interface AgentStatus {
  registered: boolean;
  server: string | null;
  device_id: string | null;
  device_name: string | null;
  installed_version: string | null;
  /** Process id of the running agent. */
  running: number | null;
  journal_readable: boolean;
  active: {
    kind: string;
    deployment_id: string;
    attempt: number;
    step: string;
    target_version: string;
  } | null;
  /** The version a rollback would restore. */
  rollback_version: string | null;
  last_attempt: {
    deployment_id: string;
    attempt: number;
    status: string;
    error_message: string | null;
    ended_at: string;
  } | null;
  /** `null` when no launcher ever ran here, or its state cannot be read. */
  launcher: {
    /** SHA-256 of the agent in use; `null`: the one shipped with the launcher. */
    current: string | null;
    trial: string | null;
    rejected: { version: string; reason: string } | null;
  } | null;
  /** Versions of all products whose package name is known. */
  components: Components;
  /** What brings the device back after an update that fails. */
  protection: Protection;
  /** What the device relies on when an update reboots it. */
  boot: {
    adapter: string;
    /** What happens to a new system that does not start. */
    promise: string;
    /** Why the boot loader cannot be used; `null`: it can. */
    problem: string | null;
  };
  reports_waiting: number;
  last_cycle: CycleNote | null;
}

export async function readStatus(config: AgentConfig): Promise<AgentStatus> {
  const credentials = await readCredentials(config.state_dir);
  const journal = await peekJournal(config.state_dir);
  const waiting = await readdir(join(config.state_dir, 'outbox')).catch(() => [] as string[]);
  const active = journal?.active ?? null;
  const last = journal?.finished.at(-1);
  return {
    registered: credentials !== null,
    server: credentials?.server_url ?? config.server.url ?? null,
    device_id: credentials?.device_id ?? null,
    device_name: credentials?.device_name ?? null,
    installed_version: await readCurrentVersion(config),
    running: await lockHolder(config.state_dir),
    journal_readable: journal !== null,
    active: active && {
      kind: active.kind,
      deployment_id: active.deployment_id,
      attempt: active.attempt,
      step: active.step,
      target_version: active.target_version,
    },
    rollback_version: journal?.kept?.version ?? null,
    last_attempt: last
      ? {
          deployment_id: last.deployment_id,
          attempt: last.attempt,
          status: last.end.status,
          error_message: last.end.error_message,
          ended_at: last.ended_at,
        }
      : null,
    launcher: await readLauncher(config.state_dir),
    components: await readComponents(config).catch(() => ({})),
    protection: await readProtection(config, bootAdapterOf(config)),
    boot: await readBoot(config),
    reports_waiting: waiting.filter((name) => !isTemporary(name)).length,
    last_cycle: await readCycleNote(config.state_dir),
  };
}

async function readBoot(config: AgentConfig): Promise<AgentStatus['boot']> {
  const adapter = bootAdapterOf(config);
  const problem = await requireAsConfigured(config.reboot.command, adapter).then(
    () => null,
    messageOf,
  );
  return { adapter: adapter.name, promise: adapter.describe(), problem };
}

function bootAdapterOf({ boot, reboot }: AgentConfig): BootAdapter {
  return createBootAdapter(boot, reboot.max_boots);
}

const POLL_STATUS_MS = 200;

/** Whether an agent is running and the server has answered it. */
export function isConnected({ running, last_cycle: cycle }: AgentStatus): boolean {
  return running !== null && cycle !== null && !['no_answer', 'unfinished'].includes(cycle.result);
}

/** The status as soon as an agent is connected, or the status after so many seconds. */
export async function waitUntilConnected(
  config: AgentConfig,
  seconds: number,
): Promise<AgentStatus> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const status = await readStatus(config);
    if (isConnected(status) || Date.now() >= deadline) return status;
    await pause(POLL_STATUS_MS);
  }
}

export function describeStatus(status: AgentStatus): string {
  const { active, boot, last_attempt: last, last_cycle: cycle, launcher } = status;
  const lines: [string, string][] = [
    ['Server', status.server ?? 'none'],
    [
      'Device',
      status.registered
        ? [status.device_name, status.device_id].filter(Boolean).join(', ')
        : 'not registered',
    ],
    ['Installed version', status.installed_version ?? 'unknown'],
    ['Agent', status.running === null ? 'not running' : `running, process ${status.running}`],
    [
      'Update',
      active
        ? `${active.kind} to ${active.target_version}, step ${active.step} (deployment ${active.deployment_id}, attempt ${active.attempt})`
        : 'none',
    ],
    ['Can roll back to', status.rollback_version ?? 'nothing'],
    ...componentLines(status.components),
    ['Protection', `${status.protection}: ${PROTECTION_WORDS[status.protection]}`],
    ['Boot adapter', `${boot.adapter}: ${boot.problem ?? boot.promise}`],
    ['Reports waiting', String(status.reports_waiting)],
  ];
  if (launcher) {
    const short = (version: string): string => version.slice(0, 12);
    const trial = launcher.trial ? `, ${short(launcher.trial)} on trial` : '';
    const current = launcher.current ? short(launcher.current) : 'bundled with the launcher';
    lines.push(['Agent in use', `${current}${trial}`]);
    if (launcher.rejected) {
      const { version, reason } = launcher.rejected;
      lines.push(['Agent rejected', `${short(version)}: ${reason}`]);
    }
  }
  if (last) {
    const why = last.error_message ? `: ${last.error_message}` : '';
    lines.push(['Last attempt', `${last.status}, ${last.ended_at}${why}`]);
  }
  if (cycle) {
    const next = cycle.next_poll_at ? `, next ${cycle.next_poll_at}` : '';
    lines.push([
      'Last poll',
      `${cycle.at}, ${cycle.result}${cycle.why ? `: ${cycle.why}` : ''}${next}`,
    ]);
  }
  if (!status.journal_readable) {
    lines.push(['Journal', 'unreadable; the next start rolls back to the last complete snapshot']);
  }
  return lines.map(([name, value]) => `${`${name}:`.padEnd(19)}${value}`).join('\n');
}

/** With a single product, its version is shown already. */
function componentLines(components: Components): [string, string][] {
  const installed = Object.entries(components);
  if (installed.length < 2) return [];
  return [['Components', installed.map((one) => one.join(' ')).join(', ')]];
}

async function readLauncher(stateDir: string): Promise<AgentStatus['launcher']> {
  const home = launcherHome(stateDir);
  const written = await readLauncherState(home);
  if (!written) return null;
  // The launcher records a confirmation only after that agent has exited.
  const state = settle(written, await readRequests(home));
  if (state === INITIAL_STATE) return null;
  const { current, trial, rejected } = state;
  return {
    current,
    trial: trial?.version ?? null,
    rejected: rejected && { version: rejected.version, reason: rejected.reason },
  };
}
