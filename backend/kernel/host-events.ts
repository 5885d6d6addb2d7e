import type { HostContext } from '../host-contract.ts';
import { token } from './token.ts';

/** The host's event emitter, which notifies other parts of Ops-Center. */
export type HostEvents = HostContext['events'];
export const HostEvents = token<HostEvents>('HostEvents');
