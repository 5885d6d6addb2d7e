import Joi from 'joi';
import { DEFAULT_POLL_SECONDS } from './contract/device-api.ts';
import { type TrustedKey, trustedKeysSchema } from './contract/signing/trusted-keys.ts';
import { invalidRequest } from './kernel/errors.ts';
import { token } from './kernel/token.ts';

/** What an operator can set; the same keys stand in `plugin.json` for the host's settings page. */
export interface PluginConfig {
  /** Bring the database schema up to date when the plugin is activated. */
  readonly migrate: boolean;
  /** Accept `http://` package addresses on loopback; for development only. */
  readonly allow_insecure_loopback_packages: boolean;
  /** How often a device is asked to poll, before the spread of ± 10 %. */
  readonly poll_interval_seconds: number;
  /** Requests a device may make to one server process; more are answered with 429. */
  readonly device_requests_per_minute: number;
  /**
   * Polls that one server process answers at the same time, and as many reports; more get 503 at once.
   */
  readonly device_requests_at_once: number;
  /** How often targets are looked at whose device went silent or never came. */
  readonly timeout_sweep_seconds: number;
  /** How often the reconciler checks every unsettled deployment. */
  readonly reconcile_seconds: number;
  /** Hash-tagged prefix of all keys in Redis, and name of the queue's schema in PostgreSQL. */
  readonly queue_prefix: string;
  /** Jobs a worker process runs at the same time. */
  readonly worker_concurrency: number;
  /** Public keys of which one has to have signed each package; none: packages need no signature. */
  readonly signature_keys: TrustedKey[];
}
export const PluginConfig = token<PluginConfig>('PluginConfig');

/** `plugin.json` says the same as JSON Schema, with a sentence for each key; a test compares. */
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

/** Validates the host's `config` section. Throws `invalid_request` naming every fault at once. */
export function readConfig(input: unknown): PluginConfig {
  const { error, value } = configSchema.validate(input ?? {}, { abortEarly: false });
  if (error) {
    throw invalidRequest(
      error.details.map(({ path, message }) => ({ path: path.join('.'), message })),
    );
  }
  return Object.freeze(value);
}
