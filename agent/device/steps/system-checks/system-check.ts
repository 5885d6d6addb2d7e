/**
 * The health check that every device has: services and file systems are no worse than before the update. A
 * service often fails some seconds after its start only, so services are watched for a while.
 */
import { readRestarts } from './systemctl.ts';
import { type SystemState, degradations, readSystemState, restartedSince } from './system-state.ts';

export interface SystemCheck {
  check: {
    type: 'system';
    retries: number;
    /** `null`: nothing is worse than before. */
    findFault: () => Promise<string | null>;
  };
  /** How long the check has to go on passing. */
  watchMs: number;
}

const RETRIES = 3;

export interface SystemCheckRequest {
  /** The state before the update. */
  before: SystemState;
  /** Paths whose file systems are looked at. */
  paths: string[];
  watchSeconds: number;
}

export async function createSystemCheck(request: SystemCheckRequest): Promise<SystemCheck> {
  const { before, paths, watchSeconds } = request;
  const hasServices = before.failing_units !== null;
  const restartsBefore = hasServices ? await readRestarts() : new Map<string, number>();
  return {
    check: {
      type: 'system',
      retries: RETRIES,
      findFault: async () => {
        const faults = degradations(before, await readSystemState(paths));
        const restarted = hasServices ? restartedSince(restartsBefore, await readRestarts()) : [];
        const all = [...faults, ...restarted];
        return all.length > 0 ? all.join(', ') : null;
      },
    },
    watchMs: hasServices ? watchSeconds * 1000 : 0,
  };
}
