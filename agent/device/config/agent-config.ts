/** The agent's configuration file: schema, defaults, and the reading of it. */
import { readFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import Joi from 'joi';
import {
  DEFAULT_POLL_SECONDS,
  MAX_POLL_SECONDS,
  MIN_POLL_SECONDS,
} from '../../../backend/contract/device-api.ts';
import { errorCode } from '../../files/durable-file.ts';
import { isInside } from '../../files/is-inside.ts';
import { UsageError, messageOf } from '../../kernel/errors.ts';
import { EXIT } from '../../kernel/exit-codes.ts';
import { parseJsonText } from '../../kernel/json-text.ts';
import {
  DEFAULT_EXTRACT_LIMITS,
  DEFAULT_MAX_PACKAGE_BYTES,
  type ExtractLimits,
} from '../../package/limits.ts';
import { serverUrlFault } from '../../package/package-url.ts';
import { shortText } from '../../../backend/contract/signing/strict-document.ts';
import {
  type TrustedKey,
  trustedKeysSchema,
} from '../../../backend/contract/signing/trusted-keys.ts';
import { BOOT_ADAPTERS, type BootAdapterName } from '../boot/boot-adapter.ts';
import type { BootConfig } from '../boot/create-boot-adapter.ts';

/** Where the packages of the reference install to, below `root`. */
export const DEFAULT_SNAPSHOT_PATHS = ['usr/local/bin', 'boot/firmware', 'etc/edge-agent'];
export const DEFAULT_CONFIG_PATH = '/etc/ota-agent/config.json';

interface CheckLimits {
  timeout_seconds: number;
  retries: number;
  interval_seconds: number;
}
export type HealthCheck = CheckLimits &
  (
    | { type: 'command'; command: string }
    | { type: 'http'; url: string; expect_status?: number }
    | { type: 'tcp'; host: string; port: number }
    | { type: 'systemd'; unit: string }
  );

export interface AgentConfig {
  server: { url?: string; timeout_seconds: number };
  network: { ca_file?: string; proxy_url?: string; no_proxy: string[] };
  state_dir: string;
  root: string;
  poll: {
    interval_seconds: number;
    min_seconds: number;
    max_seconds: number;
    jitter_percent: number;
  };
  reports: { wait_seconds: number; retry_min_seconds: number; retry_max_seconds: number };
  /** Absolute after loading. */
  snapshot_paths: string[];
  /** Package name of the main product; left out: that of the first package with a name. */
  main_package?: string;
  keep_snapshot: boolean;
  rollback: { after_restore_command?: { command: string; timeout_seconds: number } };
  boot: BootConfig;
  reboot: {
    /** Left out: that of the boot adapter, or `systemctl reboot`. */
    command?: string;
    /** How long the device may take to go down. */
    timeout_seconds: number;
    /** Starts of a new system without a commit before it is rolled back. */
    max_boots: number;
    /** Folders whose files the boot loader or the kernel reads; absolute after loading. */
    paths: string[];
  };
  install: {
    timeout_seconds: number;
    kill_grace_seconds: number;
    output_limit_bytes: number;
    max_interrupted_starts: number;
    window?: { start: string; end: string; days?: number[] };
    permission_command?: { command: string; timeout_seconds: number };
  };
  health: {
    /** Services and file systems must be no worse than before the update. */
    system_checks: boolean;
    /** How long services are watched after the update; only where systemd runs. */
    watch_seconds: number;
    checks: HealthCheck[];
    passes_required: number;
    deadline_seconds: number;
    max_interrupted_runs: number;
  };
  commit: { require_report: boolean; deadline_seconds: number };
  download: {
    connect_timeout_seconds: number;
    stall_timeout_seconds: number;
    min_bytes_per_second: number;
    min_speed_window_seconds: number;
    max_bytes: number;
    max_bytes_per_second: number;
    max_attempts: number;
    deadline_seconds: number;
    progress_interval_seconds: number;
    allow_insecure_loopback: boolean;
  };
  extract: ExtractLimits;
  signatures: {
    keys: TrustedKey[];
    /** Sign keyrings, never packages. */
    root_keys: TrustedKey[];
    device_type?: string;
  };
  heartbeat: { enabled: boolean; interval_seconds?: number };
  log_level: string;
  current_version_file: string;
}

const seconds = (fallback: number, min = 0.001): Joi.NumberSchema =>
  Joi.number().min(min).max(MAX_POLL_SECONDS).default(fallback);
const count = (fallback: number, min = 1): Joi.NumberSchema =>
  Joi.number().integer().min(min).default(fallback);
const absolutePath = Joi.string().custom((value: string) => {
  if (!isAbsolute(value)) throw new Error('must be an absolute path');
  return resolve(value);
});
const timeOfDay = Joi.string().pattern(/^([01]\d|2[0-3]):[0-5]\d$/, 'time of day, hh:mm');

const shellCommand = Joi.object({ command: Joi.string().required(), timeout_seconds: seconds(60) });

const healthCheck = Joi.object({
  type: Joi.string().valid('command', 'http', 'tcp', 'systemd').required(),
  command: Joi.string().when('type', only('command')),
  url: Joi.string()
    .uri({ scheme: ['http', 'https'] })
    .when('type', only('http')),
  expect_status: Joi.number()
    .integer()
    .min(100)
    .max(599)
    .when('type', { not: 'http', then: Joi.forbidden() }),
  host: Joi.string().hostname().when('type', only('tcp')),
  port: Joi.number().port().when('type', only('tcp')),
  unit: Joi.string()
    .pattern(/^[\w@:.\\-]+$/, 'unit name')
    .when('type', only('systemd')),
  timeout_seconds: seconds(10),
  retries: count(3, 0),
  interval_seconds: seconds(5),
});

function only(type: string): Joi.WhenOptions {
  return { is: type, then: Joi.required(), otherwise: Joi.forbidden() };
}

const section = (keys: Joi.SchemaMap): Joi.ObjectSchema => Joi.object(keys).default();

/** Exported for the page that documents it. */
export const configSchema = Joi.object({
  server: section({
    url: Joi.string().custom((value: string) => {
      const fault = serverUrlFault(value);
      if (fault) throw new Error(fault);
      return value.replace(/\/+$/, '');
    }),
    timeout_seconds: seconds(30),
  }),
  network: section({
    ca_file: absolutePath,
    proxy_url: Joi.string().uri({ scheme: ['http', 'https'] }),
    no_proxy: Joi.array().items(Joi.string()).default([]),
  }),
  state_dir: absolutePath.default('/var/lib/ota-agent'),
  root: absolutePath.default('/'),
  poll: section({
    interval_seconds: seconds(DEFAULT_POLL_SECONDS),
    min_seconds: seconds(MIN_POLL_SECONDS),
    max_seconds: seconds(MAX_POLL_SECONDS),
    jitter_percent: Joi.number().min(0).max(100).default(10),
  }),
  reports: section({
    wait_seconds: seconds(10, 0),
    retry_min_seconds: seconds(2),
    retry_max_seconds: seconds(300),
  }),
  // Its default depends on other keys: see below.
  snapshot_paths: Joi.array().items(Joi.string().min(1)).unique(),
  main_package: shortText(),
  keep_snapshot: Joi.boolean().default(true),
  rollback: section({ after_restore_command: shellCommand }),
  boot: section({
    adapter: Joi.string()
      .valid(...BOOT_ADAPTERS)
      .default('none'),
    fw_env_config: absolutePath.default('/etc/fw_env.config'),
    grub_environment: absolutePath.default('/boot/grub/grubenv'),
    partition: absolutePath.default((parent: { adapter: BootAdapterName }) =>
      parent.adapter === 'raspberry-pi' ? '/boot/firmware' : '/boot',
    ),
    commands: Joi.object({
      arm: Joi.string().required(),
      commit: Joi.string().required(),
      revert: Joi.string().required(),
      booted_new: Joi.string(),
      timeout_seconds: seconds(60),
    }).when('adapter', {
      is: 'command',
      then: Joi.required(),
      otherwise: Joi.forbidden(),
    }),
  }),
  reboot: section({
    command: Joi.string(),
    timeout_seconds: seconds(600),
    max_boots: count(3),
    paths: Joi.array().items(absolutePath).unique().default(['/boot']),
  }),
  install: section({
    timeout_seconds: seconds(900),
    kill_grace_seconds: seconds(10, 0),
    output_limit_bytes: count(256 * 1024, 1024),
    max_interrupted_starts: count(10),
    window: Joi.object({
      start: timeOfDay.required(),
      end: timeOfDay.required(),
      days: Joi.array().items(Joi.number().integer().min(0).max(6)).min(1).unique(),
    }),
    permission_command: shellCommand,
  }),
  health: section({
    system_checks: Joi.boolean().default(true),
    watch_seconds: seconds(10, 0),
    checks: Joi.array().items(healthCheck).default([]),
    passes_required: count(1),
    deadline_seconds: seconds(300),
    max_interrupted_runs: count(3),
  }),
  commit: section({
    require_report: Joi.boolean().default(true),
    deadline_seconds: seconds(30 * 60),
  }),
  download: section({
    connect_timeout_seconds: seconds(30),
    stall_timeout_seconds: seconds(60),
    min_bytes_per_second: Joi.number().integer().min(0).default(1024),
    min_speed_window_seconds: seconds(60),
    max_bytes: count(DEFAULT_MAX_PACKAGE_BYTES),
    max_bytes_per_second: Joi.number().integer().min(0).default(0),
    max_attempts: count(10),
    deadline_seconds: seconds(6 * 60 * 60),
    progress_interval_seconds: seconds(30),
    allow_insecure_loopback: Joi.boolean().default(false),
  }),
  extract: section({
    max_bytes: count(DEFAULT_EXTRACT_LIMITS.max_bytes),
    max_entries: count(DEFAULT_EXTRACT_LIMITS.max_entries),
    max_depth: count(DEFAULT_EXTRACT_LIMITS.max_depth),
    max_ratio: count(DEFAULT_EXTRACT_LIMITS.max_ratio),
  }),
  signatures: section({
    keys: trustedKeysSchema().default([]),
    root_keys: trustedKeysSchema().default([]),
    device_type: Joi.string()
      .when('keys', { is: Joi.array().min(1), then: Joi.required() })
      .when('root_keys', { is: Joi.array().min(1), then: Joi.required() }),
  }),
  heartbeat: section({
    enabled: Joi.boolean().default(true),
    interval_seconds: Joi.number().min(1).max(MAX_POLL_SECONDS),
  }),
  log_level: Joi.string()
    .valid('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent')
    .default('info'),
  current_version_file: absolutePath.default((parent: { state_dir: string }) =>
    join(parent.state_dir, 'current-version'),
  ),
})
  .custom((config: AgentConfig & { snapshot_paths?: string[] }) => {
    const absolute = (path: string): string => resolve(config.root, path);
    const paths = config.snapshot_paths?.map(absolute);
    const fault = paths?.map((path) => snapshotPathFault(config, path)).find(Boolean);
    if (fault) throw new Error(fault);
    if (config.poll.min_seconds > config.poll.max_seconds) {
      throw new Error('poll.min_seconds must not be above poll.max_seconds');
    }
    // A default must not make a configuration invalid that nobody changed.
    const byDefault = DEFAULT_SNAPSHOT_PATHS.map(absolute).filter(
      (path) => snapshotPathFault(config, path) === null,
    );
    return { ...config, snapshot_paths: paths ?? byDefault };
  })
  .messages({ 'any.custom': '{{#label}}: {{#error.message}}' });

/** @param path absolute */
function snapshotPathFault(
  { state_dir: stateDir, current_version_file: versionFile }: AgentConfig,
  path: string,
): string | null {
  if (isInside(stateDir, path) || isInside(path, stateDir)) {
    return (
      `the snapshot path ${path} and state_dir ${stateDir} must not contain each other, ` +
      'or a rollback would take the agent’s own journal back as well'
    );
  }
  return isInside(versionFile, path)
    ? `current_version_file must not lie in the snapshot path ${path}`
    : null;
}

/**
 * @param source what the text came from, for the message
 * @throws {UsageError} naming every fault at once
 */
export function parseConfig(text: string, source: string): AgentConfig {
  let input: unknown;
  try {
    input = parseJsonText(text);
  } catch (error) {
    throw new UsageError(`${source} is not JSON: ${messageOf(error)}`, EXIT.usage);
  }
  const result = configSchema.validate(input, { abortEarly: false, convert: false });
  if (result.error) {
    const faults = result.error.details.map((detail) => `  - ${detail.message}`);
    throw new UsageError(`${source} has faults:\n${faults.join('\n')}`, EXIT.usage);
  }
  return result.value as AgentConfig;
}

/** @throws {UsageError} when the file is missing or has faults */
export async function loadConfig(path: string): Promise<AgentConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const why = errorCode(error) === 'ENOENT' ? 'does not exist' : messageOf(error);
    throw new UsageError(
      `The configuration file ${path} cannot be read: ${why}. Give another one with --config or OTA_AGENT_CONFIG.`,
      EXIT.usage,
    );
  }
  return parseConfig(text, path);
}
