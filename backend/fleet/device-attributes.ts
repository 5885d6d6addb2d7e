import type { DeviceAttribute, DeviceDetail } from '../contract/admin-api.ts';

const MAX_ATTRIBUTES = 50;
/** Characters. Longer keys are left out, longer texts are cut. */
const MAX_KEY_LENGTH = 100;
const MAX_TEXT_LENGTH = 500;

/**
 * The attributes of a device: the texts, numbers and booleans at the top level of the host's metadata, by key. What
 * else is in there is left out: the host and its devices may store anything.
 *
 * @param metadata the JSON text; `null`: the host has none
 */
export function readAttributes(metadata: string | null): DeviceDetail['attributes'] {
  return Object.fromEntries(
    entriesOf(metadata)
      .filter(isAttribute)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .slice(0, MAX_ATTRIBUTES)
      .map(([key, value]) => [key, typeof value === 'string' ? cut(value) : value]),
  );
}

function entriesOf(text: string | null): [string, unknown][] {
  try {
    const value: unknown = JSON.parse(text ?? 'null');
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? Object.entries(value) : [];
  } catch {
    return [];
  }
}

function isAttribute(entry: [string, unknown]): entry is [string, DeviceAttribute] {
  const [key, value] = entry;
  return (
    key !== '' &&
    key.length <= MAX_KEY_LENGTH &&
    (typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value))
  );
}

function cut(text: string): string {
  const characters = [...text];
  return characters.length > MAX_TEXT_LENGTH
    ? `${characters.slice(0, MAX_TEXT_LENGTH - 1).join('')}…`
    : text;
}
