/** Schemas of the requests to the host's device routes. */
import Joi from 'joi';

export interface GenerateTokenBody {
  device_name: string;
  device_type: string;
  organization_id?: string;
}

export const generateTokenBody = Joi.object<GenerateTokenBody>({
  device_name: Joi.string().trim().min(1).max(255).required(),
  device_type: Joi.string().trim().max(50).empty(['', null]).default('unknown'),
  organization_id: Joi.string().uuid(),
});

export interface RegisterBody {
  hardware_id: string;
  registration_token: string;
  firmware_version: string | null;
  metadata: Record<string, unknown>;
}

export const registerBody = Joi.object<RegisterBody>({
  // Reserved for devices that have not registered yet.
  hardware_id: Joi.string()
    .trim()
    .min(1)
    .max(255)
    .pattern(/^pending-/, { invert: true, name: 'pending-…' })
    .required(),
  registration_token: Joi.string().max(200).required(),
  // Agents that do not know their version send "unknown".
  firmware_version: Joi.string().trim().max(50).empty(['', 'unknown']).allow(null).default(null),
  metadata: Joi.object().unknown(true).default({}),
});

export interface HeartbeatBody {
  status?: string;
  /** Seconds. */
  uptime?: number;
  services?: unknown;
  metrics?: unknown;
  ip_address?: string | null;
}

export const heartbeatBody = Joi.object<HeartbeatBody>({
  status: Joi.string().max(50),
  uptime: Joi.number().min(0),
  services: Joi.alternatives(Joi.object(), Joi.array()),
  metrics: Joi.object(),
  ip_address: Joi.string().max(100).allow(null, ''),
}).unknown(true);

/** Any JSON object. */
export const reportBody = Joi.object<Record<string, unknown>>().unknown(true);

export interface DeviceListQuery {
  search: string;
  cursor: string;
  limit: number;
}

export const deviceListQuery = Joi.object<DeviceListQuery>({
  search: Joi.string().trim().max(100).allow('').default(''),
  cursor: Joi.string().max(600).allow('').default(''),
  limit: Joi.number().integer().min(1).max(200).default(50),
});
