import type { Organization } from './organizations.ts';
import type { Principal } from './principal.ts';

/** Holds the id of the organization that a user of several chose. Checked with every request. */
export const ORGANIZATION_COOKIE = 'ota_organization';

/** Who sends a request, and for which of their organizations. */
export interface Caller {
  principal: Principal;
  /** `token`: a bearer token; `platform`: a session of Ops-Center; `page`: a session of this server. */
  credential: 'token' | 'platform' | 'page';
  /** `null`: the user has none. */
  organization: Organization | null;
}
