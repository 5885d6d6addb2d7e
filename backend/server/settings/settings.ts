/** The settings of ota-server (docs/server.md, Settings). */
import Joi from 'joi';
import proxyAddr from 'proxy-addr';

import type { HostRole } from '../../host-contract.ts';
import { adminsSchema, type AdminsSettings } from '../admins/admins.schema.ts';
import { devicesSection, type DevicesSection } from '../devices/enrolment-settings.ts';
import {
  collectSettings,
  readSettingsFile,
  resolveFiles,
  type Fault,
  type RawSettings,
} from './sources.ts';

/** A link back to the platform, for the page. */
export interface PlatformLink {
  href: string;
  label: string;
}

export interface ServerSettings {
  readonly role: HostRole;
  /** Address to listen on. */
  readonly listen: string;
  /** 0: a free port. */
  readonly port: number;
  /** What browsers and devices use: the address of the reverse proxy, with the path prefix if there is one. */
  readonly publicUrl: URL;
  /** The path of {@link publicUrl}, without a slash at the end; empty: no prefix. */
  readonly basePath: string;
  readonly databaseUrl: string;
  /** `null`: the queue is in PostgreSQL; only for a trial. */
  readonly redisUrl: string | null;
  /** Addresses or networks whose `X-Forwarded-…` headers are believed. */
  readonly trustedProxies: readonly string[];
  /** Bearer token for `/metrics`; `null`: there is no such route. */
  readonly metricsToken: string | null;
  readonly logLevel: string;
  readonly platform: PlatformLink;
  readonly admins: AdminsSettings;
  readonly devices: DevicesSection;
  /** The configuration of the plugin, which validates it. */
  readonly ota: unknown;
}

interface Values {
  role: HostRole;
  listen: string;
  port: number;
  public_url: string;
  database_url: string;
  redis_url?: string;
  trusted_proxies: string[];
  metrics_token?: string;
  log_level: string;
  platform: PlatformLink;
  admins: AdminsSettings;
  devices: DevicesSection;
  ota: Record<string, unknown>;
}

/** Joi's own messages quote the value, which may be a secret. */
const MESSAGES = {
  'string.pattern.base': 'is not of the expected form',
  'string.pattern.name': 'must be {{#name}}',
};
const MIN_TOKEN_LENGTH = 16;
export const DEFAULT_PORT = 8085;

/** Names as in the settings file. */
export const settingsSchema = Joi.object<Values>({
  role: Joi.valid('api', 'worker', 'all').default('all'),
  listen: Joi.string().default('127.0.0.1'),
  port: Joi.number().port().default(DEFAULT_PORT),
  public_url: Joi.string()
    .uri({ scheme: ['https', 'http'] })
    .pattern(/^[^?#]*$/, 'an address without query and fragment')
    .required(),
  database_url: Joi.string()
    .uri({ scheme: ['postgres', 'postgresql'] })
    .required(),
  redis_url: Joi.string()
    .uri({ scheme: ['redis', 'rediss'] })
    .required(),
  trusted_proxies: Joi.array().items(Joi.string().custom(checkProxy)).default([]),
  metrics_token: Joi.string().min(MIN_TOKEN_LENGTH).pattern(/^\S+$/, 'without spaces'),
  log_level: Joi.valid('fatal', 'error', 'warn', 'info', 'debug', 'trace').default('info'),
  platform: Joi.object({
    href: Joi.string()
      .uri({ scheme: ['https', 'http'], allowRelative: true })
      .default('/'),
    label: Joi.string().max(40).default('Ops-Center'),
  }).default({ href: '/', label: 'Ops-Center' }),
  admins: adminsSchema.required(),
  devices: devicesSection,
  // The plugin validates its configuration itself, when it is activated.
  ota: Joi.object().unknown(true).default({}),
});

/** The queue may be in PostgreSQL. */
const trialSchema = settingsSchema.fork('redis_url', (redis) => redis.optional());

/** Settings that are not valid. The message names every fault, and no value. */
export class InvalidSettingsError extends Error {
  constructor(readonly faults: readonly Fault[]) {
    const lines = faults.map(({ setting, message }) => `  ${setting}: ${message}`);
    super(['The settings are not valid:', ...lines].join('\n'));
    this.name = 'InvalidSettingsError';
  }
}

/** Settings as an operator gave them, and what is wrong with their sources. */
export interface GivenSettings {
  values: RawSettings;
  faults: readonly Fault[];
}

/** Reads the settings from environment variables, and from the file that `configFile` or `OTA_SERVER_CONFIG` names. */
export function givenSettings(
  variables: NodeJS.ProcessEnv,
  configFile: string | undefined = variables['OTA_SERVER_CONFIG'],
): GivenSettings {
  const faults: Fault[] = [];
  const fromFile = configFile ? readSettingsFile(configFile, faults) : {};
  const collected = collectSettings(variables, fromFile, faults);
  return { values: resolveFiles(collected, faults), faults };
}

/**
 * @param trial for a trial: settings for those that are not given; Redis is not needed
 * @throws {InvalidSettingsError} names every fault, also those of the sources
 */
export function validSettings(
  { values, faults: given }: GivenSettings,
  trial: RawSettings | null = null,
): ServerSettings {
  const { value, error } = (trial ? trialSchema : settingsSchema).validate(
    { ...trial, ...values },
    { abortEarly: false, errors: { label: false }, messages: MESSAGES },
  );
  const faults = [
    ...given,
    ...(error?.details ?? []).map(({ path, message }) => ({ setting: path.join('.'), message })),
  ];
  if (faults.length > 0) throw new InvalidSettingsError(faults);
  return asSettings(value as Values);
}

function asSettings(value: Values): ServerSettings {
  const publicUrl = new URL(value.public_url);
  return Object.freeze({
    role: value.role,
    listen: value.listen,
    port: value.port,
    publicUrl,
    basePath: publicUrl.pathname.replace(/\/+$/, ''),
    databaseUrl: value.database_url,
    redisUrl: value.redis_url ?? null,
    trustedProxies: value.trusted_proxies,
    metricsToken: value.metrics_token ?? null,
    logLevel: value.log_level,
    platform: value.platform,
    admins: value.admins,
    devices: value.devices,
    ota: value.ota,
  });
}

function checkProxy(text: string, helpers: Joi.CustomHelpers): unknown {
  try {
    proxyAddr.compile(text);
    return text;
  } catch {
    return helpers.message({
      custom: 'must be an address, a network such as 10.0.0.0/8, or "loopback"',
    });
  }
}
