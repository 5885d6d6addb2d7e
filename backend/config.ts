import Joi from 'joi';
import { DEFAULT_POLL_SECONDS } from './contract/device-api.ts';
import { type TrustedKey, trustedKeysSchema } from './contract/signing/trusted-keys.ts';
import { invalidRequest } from './kernel/errors.ts';
import { token } from './kernel/token.ts';

/** The configuration of the plugin (docs/operating.md, Configure). `plugin.json` declares the same keys. */
export interface PluginConfig {
  /** Bring the database schema up to date when the plugin is activated. */
  readonly migrate: boolean;
  /** Accept `http://` package addresses on loopback; for development only. */
  readonly allow_insecure_loopback_packages: boolean;
  /** Seconds between the polls of a device, before they are spread by ± 10 %. */
  readonly poll_interval_seconds: number;
  /** Requests per minute that a device may send to one server process; more get a 429. */
  readonly device_requests_per_minute: number;
  /** Polls that one server process handles at the same time, and as many reports; more get a 503 at once. */
  readonly device_requests_at_once: number;
  /** Seconds between searches for targets whose device stopped reporting or never polled. */
  readonly timeout_sweep_seconds: number;
  /** Seconds between checks of every unsettled deployment by the reconciler. */
  readonly reconcile_seconds: number;
  /** Prefix of the queue's keys in Redis, or name of its schema in PostgreSQL. */
  readonly queue_prefix: string;
  /** Jobs that a worker process runs at the same time. */
  readonly worker_concurrency: number;
  /** Public keys, one of which must have signed each package; empty: packages need no signature. */
  readonly signature_keys: TrustedKey[];
}
export const PluginConfig = token<PluginConfig>('PluginConfig');

/** `plugin.json` contains the same as JSON Schema; a test compares the two. */
export const configSchema = Joi.object<PluginConfig, true>({
  migrate: Joi.boolean().default(true),
  allow_insecure_loopback_packages: Joi.boolean().default(false),
  poll_interval_seconds: Joi.number().integer().min(1).max(86_400).default(DEFAULT_POLL_SECONDS),
  device_requests_per_minute: Joi.number().integer().min(1).max(100_000).default(120),
  device_requests_at_once: Joi.number().integer().min(1).max(100_000).default(500),
  timeout_sweep_seconds: Joi.number().integer().min(1).max(3_600).default(30),
  reconcile_seconds: Joi.number().integer().min(1).max(3_600).default(15),
  queue_prefix: Joi.string()
    .pattern(/^[a-z][a-z0-9_]{0,40}$/, 'lower case letters, digits and _')
    .default('ota_queue'),
  worker_concurrency: Joi.number().integer().min(1).max(100).default(5),
  signature_keys: trustedKeysSchema().default([]),
}).required();

/** Validates the `config` section of the host. Throws `invalid_request` with every error at once. */
export function readConfig(input: unknown): PluginConfig {
  const { error, value } = configSchema.validate(input ?? {}, { abortEarly: false });
  if (error) {
    throw invalidRequest(
      error.details.map(({ path, message }) => ({ path: path.join('.'), message })),
    );
  }
  return Object.freeze(value);
}
