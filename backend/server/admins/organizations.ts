/** The organizations of the signed-in user, from the platform's tables. */
import type { Knex } from 'knex';

import { HostProblem } from '../host/problem.ts';
import { isUuid, type Principal } from './principal.ts';
import type { ThrottledLog } from './throttled-log.ts';

export interface Organization {
  id: string;
  name: string;
  /** Whether the user is an admin there. */
  isAdmin: boolean;
}

/** More would not help in a menu. Any organization of the user can be chosen, listed or not. */
const MAX_LISTED = 1_000;

/** Roles of a member that make them an admin of the organization. */
const ADMIN_MEMBERS = ['owner', 'admin'];

const MEMBERS_MISSING =
  'The table organization_members is missing, so the organizations of users are unknown. Check that ota-server uses ' +
  "the platform's database, or let the session or the token name the organization.";
const MEMBERS_UNUSABLE =
  'The table organization_members has unexpected columns: it needs user_id, role, and organization_id or org_id.';

/** What differs between installations of the platform. */
interface MembersTable {
  /** The column with the organization: `organization_id` or `org_id`. */
  column: string;
  columnType: string;
  userType: string;
}

interface Query {
  sql: string;
  bindings: Knex.RawBinding[];
}

export class Organizations {
  readonly #knex: Knex;
  readonly #log: ThrottledLog;
  #membersTable: Promise<MembersTable | null> | undefined;

  constructor(knex: Knex, log: ThrottledLog) {
    this.#knex = knex;
    this.#log = log;
  }

  /**
   * The wanted organization if it is one of the user's; otherwise the current one of their session, otherwise the first
   * by name. `null` if they have none.
   */
  async choose(principal: Principal, wantedId: string | null): Promise<Organization | null> {
    const [first] = await this.#find(principal, isUuid(wantedId) ? wantedId : null, 1);
    return first ?? null;
  }

  /** By name. */
  list(principal: Principal): Promise<Organization[]> {
    return this.#find({ ...principal, currentOrganizationId: null }, null, MAX_LISTED);
  }

  /** @throws {HostProblem} `unavailable`, naming what is missing, if the platform has no usable memberships */
  async checkMembers(): Promise<void> {
    if ((await this.#members()) === null) throw this.#notConfigured(MEMBERS_MISSING);
  }

  async #find(principal: Principal, wanted: string | null, limit: number): Promise<Organization[]> {
    const query = await this.#queryOf(principal);
    if (query === null) return [];
    try {
      const { rows } = await this.#knex.raw<{ rows: Organization[] }>(
        `SELECT id, name, bool_or(is_admin) AS "isAdmin" FROM (${query.sql}) AS own
         GROUP BY id, name
         ORDER BY (id = ?::uuid) DESC, (id = ?::uuid) DESC, name, id LIMIT ?`,
        [...query.bindings, wanted, principal.currentOrganizationId, limit] as Knex.RawBinding[],
      );
      return rows;
    } catch (error) {
      // The platform's migrations may have changed the table; the next request looks at it again.
      this.#membersTable = undefined;
      throw error;
    }
  }

  async #queryOf(principal: Principal): Promise<Query | null> {
    const { userId, isAdmin, isSystemAdmin, organizationIds, currentOrganizationId } = principal;
    if (isSystemAdmin && organizationIds === null) {
      return { sql: 'SELECT id, name, true AS is_admin FROM organizations', bindings: [] };
    }
    if (organizationIds !== null) return named(organizationIds, isAdmin || isSystemAdmin);
    const members = await this.#members();
    if (members) return membershipsOf(userId, isAdmin, members);
    if (currentOrganizationId !== null) return named([currentOrganizationId], isAdmin);
    throw this.#notConfigured(MEMBERS_MISSING);
  }

  async #members(): Promise<MembersTable | null> {
    const pending = (this.#membersTable ??= this.#readMembersTable());
    const forget = (): void => {
      if (this.#membersTable === pending) this.#membersTable = undefined;
    };
    try {
      const table = await pending;
      // The platform may create it later.
      if (table === null) forget();
      return table;
    } catch (error) {
      forget();
      throw error;
    }
  }

  /** `null`: the table is missing. */
  async #readMembersTable(): Promise<MembersTable | null> {
    const { rows } = await this.#knex.raw<{ rows: { name: string; type: string }[] }>(
      `SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
       WHERE attrelid = to_regclass('organization_members') AND attnum > 0 AND NOT attisdropped`,
    );
    if (rows.length === 0) return null;
    const types = new Map(rows.map(({ name, type }) => [name, type]));
    const column = ['organization_id', 'org_id'].find((name) => types.has(name));
    const columnType = types.get(column ?? '');
    const userType = types.get('user_id');
    if (!column || !columnType || !userType || !types.has('role')) {
      throw this.#notConfigured(MEMBERS_UNUSABLE);
    }
    return { column, columnType, userType };
  }

  #notConfigured(message: string): HostProblem {
    this.#log.warn({}, message);
    return new HostProblem('unavailable', message);
  }
}

function named(ids: readonly string[], isAdmin: boolean): Query {
  return {
    sql: 'SELECT id, name, ?::boolean AS is_admin FROM organizations WHERE id = ANY (?::uuid[])',
    bindings: [isAdmin, ids.filter(isUuid)] as Knex.RawBinding[],
  };
}

/** `null`: the user cannot be a member, because their id is none of the platform's. */
function membershipsOf(userId: string, isAdmin: boolean, members: MembersTable): Query | null {
  if (members.userType === 'uuid' && !isUuid(userId)) return null;
  // Without a cast where possible, so that PostgreSQL uses the indexes.
  const joined =
    members.columnType === 'uuid'
      ? `o.id = m.${members.column}`
      : `o.id::text = m.${members.column}::text`;
  const own = members.userType === 'uuid' ? 'm.user_id = ?::uuid' : 'm.user_id::text = ?';
  return {
    sql: `SELECT o.id, o.name, (?::boolean OR m.role::text = ANY (?::text[])) AS is_admin
          FROM organization_members m JOIN organizations o ON ${joined} WHERE ${own}`,
    bindings: [isAdmin, ADMIN_MEMBERS, userId] as Knex.RawBinding[],
  };
}
