/** The user in a session of Ops-Center. Whatever the session contains, the result is safe to use. */
import type { PlatformSettings } from './admins.schema.ts';
import { isUuid, shortText, type Principal } from './principal.ts';

/** Real sessions have some kilobytes. */
const MAX_SESSION = 256 * 1024;

/** @returns `null` if the session is malformed */
export function userOfSession(
  json: string,
  settings: Pick<PlatformSettings, 'admin_roles' | 'system_admin_roles'>,
): Principal | null {
  const session = json.length <= MAX_SESSION ? parsed(json) : null;
  const user = session && fields(session['user']);
  return user && session ? principalOf(user, session, settings) : null;
}

/** The same for the answer of `/api/v1/auth/me`, which may be the user itself. */
export function userOfAuthMe(
  json: string,
  settings: Pick<PlatformSettings, 'admin_roles' | 'system_admin_roles'>,
): Principal | null {
  const answer = json.length <= MAX_SESSION ? parsed(json) : null;
  return answer && principalOf(fields(answer['user']) ?? answer, answer, settings);
}

type Fields = Record<string, unknown>;

function principalOf(
  user: Fields,
  session: Fields,
  settings: Pick<PlatformSettings, 'admin_roles' | 'system_admin_roles'>,
): Principal | null {
  const id = [user['user_id'], user['sub'], user['id']].find(
    (value) => value !== undefined && value !== null,
  );
  const userId = shortText(id);
  const roles = rolesOf(user);
  if (userId === null || roles === null) return null;
  const email = shortText(user['email']);
  const organization = [
    user['organization_id'],
    user['org_id'],
    session['organization_id'],
    session['org_id'],
  ];
  const isSystemAdmin = roles.some((role) => settings.system_admin_roles.includes(role));
  return {
    userId,
    name: shortText(user['name']) ?? email,
    email,
    isAdmin: isSystemAdmin || roles.some((role) => settings.admin_roles.includes(role)),
    isSystemAdmin,
    organizationIds: null,
    currentOrganizationId: organization.find(isUuid) ?? null,
  };
}

/** `null`: neither a text nor a list of texts. No role at all is fine. */
function rolesOf(user: Fields): string[] | null {
  const role = user['role'] ?? [];
  const roles = user['roles'] ?? [];
  const all: unknown[] = [role, roles].flat();
  return all.every((value) => typeof value === 'string') ? all : null;
}

function parsed(json: string): Fields | null {
  try {
    return fields(JSON.parse(json));
  } catch {
    return null;
  }
}

/** The object without inherited properties, e.g. of `__proto__`; `null` if it is none. */
function fields(value: unknown): Fields | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  return Object.assign(Object.create(null) as Fields, value);
}
