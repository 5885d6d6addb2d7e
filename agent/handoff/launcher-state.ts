/**
 * Which agent is to be started. One file, written by the launcher alone; agents ask by files of their
 * own (`next`, `confirmed`), which the launcher reads between two agents and when a trial's time is up.
 * So nothing is ever written by two processes, and each decision is one rename.
 */
import { rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readIfPresent, writeDurable } from '../files/durable-file.ts';
import { withRoom } from '../files/room.ts';

/** SHA-256 of the program, 64 hex digits; names its folder as well. */
export type AgentVersion = string;

/** An agent on trial, for the attempt of an update that brought it. */
export interface Trial {
  version: AgentVersion;
  run_id: string;
  /** Starts so far, written down before each of them. */
  boots: number;
}

export interface Rejection {
  version: AgentVersion;
  run_id: string;
  /** For the operator, as the agent before reports it. */
  reason: string;
}

export interface LauncherState {
  /** `null`: the agent that came with the launcher. */
  current: AgentVersion | null;
  trial: Trial | null;
  /** Until the next trial begins. */
  rejected: Rejection | null;
  /** The request that was taken up last; it is not taken up again. */
  last_run_id: string | null;
}

/** What an agent asks for: try this version, or: this version works. */
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

/** Pure: the state after the requests. The same object when there is nothing new. */
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

/** Pure: back to the agent before. */
export function reject(
  state: LauncherState,
  { version, run_id }: Trial,
  reason: string,
): LauncherState {
  return { ...state, trial: null, rejected: { version, run_id, reason } };
}

/**
 * Pure: the state when its file cannot be read. A confirmed agent is known to work; requests made so
 * far are not taken up again.
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

/** @returns where it is now */
export async function putDamagedStateAside(home: string): Promise<string> {
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
