/**
 * Which agent the launcher starts. One file, written by the launcher only; agents make requests in files of
 * their own (`next`, `confirmed`), which the launcher reads between two agents and when a trial's time is up.
 * So no file is written by two processes, and each decision is one rename.
 */
import { rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readIfPresent, writeDurable } from '../files/durable-file.ts';
import { withRoom } from '../files/room.ts';

/** SHA-256 of the program, 64 hex digits; also the name of its folder. */
export type AgentVersion = string;

/** An agent on trial, for the attempt that installed it. */
export interface Trial {
  version: AgentVersion;
  run_id: string;
  /** Starts so far, recorded before each of them. */
  boots: number;
}

export interface Rejection {
  version: AgentVersion;
  run_id: string;
  /** For the operator; the previous agent reports it. */
  reason: string;
}

export interface LauncherState {
  /** `null`: the agent shipped with the launcher. */
  current: AgentVersion | null;
  trial: Trial | null;
  /** Until the next trial. */
  rejected: Rejection | null;
  /** The request that was handled last; it is not handled again. */
  last_run_id: string | null;
}

/** A request of an agent: `next`: try this version; `confirmed`: this version works. */
export interface AgentRequest {
  version: AgentVersion;
  run_id: string;
}

export interface AgentRequests {
  next: AgentRequest | null;
  confirmed: AgentRequest | null;
}

export const INITIAL_STATE: LauncherState = {
  current: null,
  trial: null,
  rejected: null,
  last_run_id: null,
};

/** Pure: the state after the requests. The same object when nothing has changed. */
export function settle(before: LauncherState, requests: AgentRequests): LauncherState {
  const { next } = requests;
  const { trial } = before;
  const state =
    trial && isConfirmed(trial, requests)
      ? { ...before, current: trial.version, trial: null }
      : before;
  if (state.trial || !next || next.run_id === state.last_run_id) return state;
  const { version, run_id } = next;
  return { ...state, trial: { version, run_id, boots: 0 }, rejected: null, last_run_id: run_id };
}

/** Pure. */
export function isConfirmed({ version, run_id }: Trial, { confirmed }: AgentRequests): boolean {
  return confirmed?.run_id === run_id && confirmed.version === version;
}

/** Pure: the state after a failed trial, with the previous agent. */
export function reject(
  state: LauncherState,
  { version, run_id }: Trial,
  reason: string,
): LauncherState {
  return { ...state, trial: null, rejected: { version, run_id, reason } };
}

/**
 * Pure: the state when its file cannot be read. A confirmed agent is known to work; earlier requests are not
 * handled again.
 */
export function stateWithoutMemory({ next, confirmed }: AgentRequests): LauncherState {
  return {
    ...INITIAL_STATE,
    current: confirmed?.version ?? null,
    last_run_id: next?.run_id ?? null,
  };
}

/** @returns `null` when the file is damaged */
export async function readLauncherState(home: string): Promise<LauncherState | null> {
  const text = await readIfPresent(statePath(home));
  if (text === null) return INITIAL_STATE;
  const state = parse(text) as LauncherState | null;
  const versions = [state?.current ?? null, state?.trial?.version ?? null];
  const whole = state !== null && 'last_run_id' in state && versions.every(isVersionOrNull);
  return whole ? state : null;
}

export async function writeLauncherState(home: string, state: LauncherState): Promise<void> {
  await withRoom(dirname(home), () => writeDurable(statePath(home), JSON.stringify(state)));
}

/** @returns its new path */
export async function moveDamagedState(home: string): Promise<string> {
  const damaged = `${statePath(home)}.damaged`;
  await rename(statePath(home), damaged);
  return damaged;
}

export async function readRequests(home: string): Promise<AgentRequests> {
  const read = async (name: keyof AgentRequests): Promise<AgentRequest | null> => {
    const request = parse(await readIfPresent(join(home, name))) as AgentRequest | null;
    const whole = isVersion(request?.version) && typeof request?.run_id === 'string';
    return whole ? request : null;
  };
  return { next: await read('next'), confirmed: await read('confirmed') };
}

/** By the agent; durable when it resolves. */
export async function writeRequest(
  home: string,
  name: keyof AgentRequests,
  request: AgentRequest,
): Promise<void> {
  await withRoom(dirname(home), () => writeDurable(join(home, name), JSON.stringify(request)));
}

function statePath(home: string): string {
  return join(home, 'launcher.json');
}

function parse(text: string | null): object | null {
  try {
    const value = JSON.parse(text ?? 'null') as unknown;
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

function isVersion(value: unknown): value is AgentVersion {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

function isVersionOrNull(value: unknown): boolean {
  return value === null || isVersion(value);
}
