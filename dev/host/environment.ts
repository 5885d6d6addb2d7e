/** Reads the stand-in host's settings from environment variables. */
import path from 'node:path';

import Joi from 'joi';

import type { HostRole } from '../../backend/host-contract.ts';

export interface HostEnvironment {
  port: number;
  listen: string;
  databaseUrl: string | undefined;
  redisUrl: string | undefined;
  adminToken: string | undefined;
  secondAdminToken: string | undefined;
  metricsToken: string | undefined;
  /** Absolute. */
  dataDir: string;
  role: HostRole;
  /** Number of processes that share the port. */
  processes: number;
  pluginConfig: unknown;
  logLevel: string;
  /** Whether to offer `http.preRouter` to the plugin. */
  preRouter: boolean;
}

/** Lets developers serve packages from this machine over plain HTTP. */
const DEFAULT_PLUGIN_CONFIG = { allow_insecure_loopback_packages: true };
const MIN_TOKEN_LENGTH = 16;
const MAX_PROCESSES = 32;

interface Variables {
  PORT: number;
  OPS_LISTEN: string;
  DATABASE_URL?: string;
  REDIS_URL?: string;
  OPS_ADMIN_TOKEN?: string;
  OPS_SECOND_ADMIN_TOKEN?: string;
  OPS_METRICS_TOKEN?: string;
  OPS_DATA_DIR: string;
  OPS_ROLE: HostRole;
  OPS_PROCESSES: number;
  OPS_OTA_CONFIG: Record<string, unknown>;
  OPS_LOG_LEVEL: string;
  OPS_PRE_ROUTER: boolean;
}

const token = Joi.string().min(MIN_TOKEN_LENGTH).pattern(/^\S+$/, 'without spaces');

const schema = Joi.object<Variables>({
  PORT: Joi.number().port().default(8084),
  OPS_LISTEN: Joi.string().default('127.0.0.1'),
  DATABASE_URL: Joi.string().uri({ scheme: ['postgres', 'postgresql'] }),
  REDIS_URL: Joi.string().uri({ scheme: ['redis', 'rediss'] }),
  OPS_ADMIN_TOKEN: token,
  OPS_SECOND_ADMIN_TOKEN: token.invalid(Joi.ref('OPS_ADMIN_TOKEN')),
  OPS_METRICS_TOKEN: token.invalid(Joi.ref('OPS_ADMIN_TOKEN'), Joi.ref('OPS_SECOND_ADMIN_TOKEN')),
  OPS_DATA_DIR: Joi.string().default('.data'),
  OPS_ROLE: Joi.valid('api', 'worker', 'all').default('all'),
  OPS_PROCESSES: Joi.number().integer().min(1).max(MAX_PROCESSES).default(1),
  OPS_OTA_CONFIG: Joi.string().custom(parseJsonObject).default(DEFAULT_PLUGIN_CONFIG),
  OPS_LOG_LEVEL: Joi.valid('fatal', 'error', 'warn', 'info', 'debug', 'trace').default('info'),
  OPS_PRE_ROUTER: Joi.boolean().default(true),
}).unknown(true);

function parseJsonObject(text: string, helpers: Joi.CustomHelpers): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Reported below.
  }
  return helpers.message({ custom: '{#label} must be a JSON object' });
}

/** @throws Error that names every invalid variable */
export function readEnvironment(variables: NodeJS.ProcessEnv): HostEnvironment {
  const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''));
  const { value, error } = schema.validate(given, { abortEarly: false });
  if (error) throw new Error(`Environment variables: ${error.message}`);
  if (value.OPS_ROLE === 'worker' && !value.DATABASE_URL) {
    throw new Error(
      'Environment variables: OPS_ROLE=worker needs DATABASE_URL, the database of the api process.',
    );
  }
  if (value.OPS_PROCESSES > 1 && value.OPS_METRICS_TOKEN) {
    throw new Error(
      'Environment variables: OPS_METRICS_TOKEN needs OPS_PROCESSES=1. Metrics are per process, and behind one port ' +
        'each scrape would read those of another.',
    );
  }
  return {
    port: value.PORT,
    listen: value.OPS_LISTEN,
    databaseUrl: value.DATABASE_URL,
    redisUrl: value.REDIS_URL,
    adminToken: value.OPS_ADMIN_TOKEN,
    secondAdminToken: value.OPS_SECOND_ADMIN_TOKEN,
    metricsToken: value.OPS_METRICS_TOKEN,
    dataDir: path.resolve(value.OPS_DATA_DIR),
    role: value.OPS_ROLE,
    processes: value.OPS_PROCESSES,
    pluginConfig: value.OPS_OTA_CONFIG,
    logLevel: value.OPS_LOG_LEVEL,
    preRouter: value.OPS_PRE_ROUTER,
  };
}
