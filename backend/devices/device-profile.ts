import type { Components } from '../contract/device-api.ts';
import { MAX_NAME_LENGTH, MAX_VERSION_LENGTH } from '../contract/lengths.ts';
import { PROTECTIONS, type Protection } from '../contract/states.ts';
import { isStorableText } from '../http/text.schema.ts';

export const MAX_COMPONENTS = 50;
/** UTF-8 bytes of the JSON text. */
export const MAX_COMPONENTS_BYTES = 8 * 1024;

/** What a device reports about itself with a poll; `null`: it does not report it. */
export interface DeviceProfile {
  protection: Protection | null;
  components: Components | null;
}

/**
 * The profile in the query of a poll; `null`: the poll has none. A poll must not fail because of its profile, so what
 * cannot be used counts as absent.
 */
export function readProfile(query: {
  protection?: unknown;
  components?: unknown;
}): DeviceProfile | null {
  const protection = readProtection(query.protection);
  const components = readComponents(query.components);
  return protection === null && components === null ? null : { protection, components };
}

function readProtection(value: unknown): Protection | null {
  return PROTECTIONS.find((known) => known === value) ?? null;
}

function readComponents(text: unknown): Components | null {
  if (typeof text !== 'string' || text === '') return null;
  if (Buffer.byteLength(text) > MAX_COMPONENTS_BYTES) return null;
  const entries = entriesOf(text);
  if (entries === null || entries.length > MAX_COMPONENTS) return null;
  return entries.every(isComponent) ? Object.fromEntries(entries) : null;
}

/** The entries of a JSON object; `null`: the text is something else. */
function entriesOf(text: string): [string, unknown][] | null {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? Object.entries(value) : null;
  } catch {
    return null;
  }
}

function isComponent(entry: [string, unknown]): entry is [string, string] {
  const [name, version] = entry;
  return (
    isStorableText(name, MAX_NAME_LENGTH) &&
    typeof version === 'string' &&
    isStorableText(version, MAX_VERSION_LENGTH)
  );
}
