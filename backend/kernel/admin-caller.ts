import type { AdminIdentity } from '../host-contract.ts';

/** The admin who makes a request. */
export interface AdminCaller extends AdminIdentity {
  /** The client's IP address as the host determined it; behind a proxy, the one from a trusted proxy. */
  address: string | null;
  requestId: string;
}
