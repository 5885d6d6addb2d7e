/** Collects settings from a file and from environment variables, before they are validated. */
import { readFileSync } from 'node:fs';

/** Settings as given: JSON values, not validated. */
export type RawSettings = Record<string, unknown>;

/** Something that is wrong with the settings. */
export interface Fault {
  /** Name of the setting, e.g. `admins.oidc.issuer`, or of the file. */
  setting: string;
  /** What is wrong, e.g. `must be a JSON object`. */
  message: string;
}

const PREFIX = 'OTA_SERVER_';
/** Variables that only say where settings are. */
const LOCATIONS = new Set(['OTA_SERVER_CONFIG']);
/** Names that hosting environments set. */
const COMMON_NAMES: Record<string, string> = {
  DATABASE_URL: 'database_url',
  REDIS_URL: 'redis_url',
  PORT: 'port',
};
const FILE_SUFFIX = '_file';

/**
 * The settings of the variables, which take precedence over those of the file. `OTA_SERVER_ADMINS__OIDC__ISSUER` is
 * `admins.oidc.issuer`. Values that are JSON objects or arrays are parsed.
 */
export function collectSettings(
  variables: NodeJS.ProcessEnv,
  file: RawSettings,
  faults: Fault[],
): RawSettings {
  const settings = structuredClone(file);
  for (const [name, value] of Object.entries(variables).sort()) {
    if (value === undefined || value === '' || LOCATIONS.has(name)) continue;
    const path = pathOf(name);
    if (path && variables[`${name}_FILE`]) {
      faults.push({ setting: name, message: `must not be given together with ${name}_FILE` });
    } else if (path) assign(settings, path, parse(value), { name, faults });
  }
  return settings;
}

/** @returns an empty object, and a fault, if the file cannot be read */
export function readSettingsFile(file: string, faults: Fault[]): RawSettings {
  try {
    const content: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (isObject(content)) return content;
    faults.push({ setting: file, message: 'must contain a JSON object' });
  } catch (error) {
    // The message of JSON.parse quotes the text, which may be a secret.
    const reason = error instanceof SyntaxError ? 'is not valid JSON' : describe(error);
    faults.push({ setting: file, message: reason });
  }
  return {};
}

/**
 * Replaces each `<name>_file` by `<name>` with the content of that file, so that secrets need not be in the environment
 * or in the settings file. A line break at the end is not part of the secret.
 */
export function resolveFiles(settings: RawSettings, faults: Fault[], parent = ''): RawSettings {
  const resolved: RawSettings = {};
  for (const [key, value] of Object.entries(settings)) {
    const setting = parent + key;
    if (isObject(value)) {
      resolved[key] = resolveFiles(value, faults, `${setting}.`);
    } else if (key.endsWith(FILE_SUFFIX) && typeof value === 'string') {
      const name = key.slice(0, -FILE_SUFFIX.length);
      if (name in settings) {
        faults.push({ setting, message: `must not be given together with ${parent}${name}` });
      } else {
        resolved[name] = readSecret(value, setting, faults);
      }
    } else {
      resolved[key] = value;
    }
  }
  return resolved;
}

function readSecret(file: string, setting: string, faults: Fault[]): string | undefined {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    faults.push({ setting, message: describe(error) });
    return undefined;
  }
}

function pathOf(variable: string): string[] | undefined {
  const common = COMMON_NAMES[variable.replace(/_FILE$/, '')];
  if (common !== undefined) return [variable.endsWith('_FILE') ? common + FILE_SUFFIX : common];
  if (!variable.startsWith(PREFIX)) return undefined;
  return variable.slice(PREFIX.length).toLowerCase().split('__');
}

function parse(value: string): unknown {
  if (!/^[[{]/.test(value.trim())) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    // Validation says what was expected.
    return value;
  }
}

function assign(
  settings: RawSettings,
  path: readonly string[],
  value: unknown,
  { name, faults }: { name: string; faults: Fault[] },
): void {
  let section = settings;
  for (const key of path.slice(0, -1)) {
    if (!Object.hasOwn(section, key)) section[key] = {};
    const next = section[key];
    if (!isObject(next)) {
      faults.push({ setting: name, message: `cannot be set: ${key} is not a section` });
      return;
    }
    section = next;
  }
  const last = path.at(-1) ?? '';
  // A variable replaces the file that the settings file names, and the other way round.
  delete section[
    last.endsWith(FILE_SUFFIX) ? last.slice(0, -FILE_SUFFIX.length) : last + FILE_SUFFIX
  ];
  section[last] = value;
}

function isObject(value: unknown): value is RawSettings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'the file does not exist';
  if (code === 'EACCES') return 'the file cannot be read: permission denied';
  return message;
}
