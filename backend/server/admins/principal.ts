/** Somebody or something that is signed in, before one of their organizations is chosen. */
export interface Principal {
  userId: string;
  name: string | null;
  email: string | null;
  /** Has an admin role: an admin of each organization they belong to. */
  isAdmin: boolean;
  /** An admin of every organization. */
  isSystemAdmin: boolean;
  /** The organizations that the credential names; `null`: the platform's memberships decide. */
  organizationIds: readonly string[] | null;
  /** The platform's session may name the current organization. It is the default if the user is a member of it. */
  currentOrganizationId: string | null;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}

const MAX_TEXT = 255;

/** A text from a session or a token that is fit for the timeline: not empty, of limited length, one line. */
export function shortText(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const text = value.trim();
  // eslint-disable-next-line no-control-regex -- PostgreSQL rejects NUL, and log viewers interpret the others
  return text !== '' && text.length <= MAX_TEXT && !/[\u0000-\u001f\u007f]/.test(text)
    ? text
    : null;
}
