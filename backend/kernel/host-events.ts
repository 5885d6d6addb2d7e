import type { HostContext } from '../host-contract.ts';
import { token } from './token.ts';

/** Where the host is notified of what its other parts may want to know. */
export type HostEvents = HostContext['events'];
export const HostEvents = token<HostEvents>('HostEvents');
