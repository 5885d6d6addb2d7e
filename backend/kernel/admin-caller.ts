import type { AdminIdentity } from '../host-contract.ts';

/** An admin in the act: who, from where, in which request. */
export interface AdminCaller extends AdminIdentity {
  /** The client's address as the host sees it: behind a proxy, what the host trusts the proxy to say. */
  address: string | null;
  requestId: string;
}
