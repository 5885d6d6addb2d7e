import Joi from 'joi';
import type {
  CreateDeploymentRequest,
  DeviceFilters,
  RolloutPolicy,
} from '../../contract/admin-api.ts';
import {
  DEVICE_CONNECTION_FILTERS,
  ROLLOUT_STRATEGIES,
  VERSION_OPERATORS,
} from '../../contract/states.ts';
import { MAX_NAME_LENGTH, MAX_VERSION_LENGTH } from '../../contract/lengths.ts';
import { packageNameOf } from '../../contract/signing/manifest.ts';
import { packageUrlError } from '../../contract/package-url.ts';
import { asJsonSchema } from '../../http/json-schema.meta.ts';
import { label, optionalLabel, storableText } from '../../http/text.schema.ts';
import { timestamp } from '../../http/timestamp.schema.ts';
import { DEFAULT_CANARY_PERCENTAGE, DEFAULT_ROLLING_PERCENTAGE } from '../rules/batch-plan.ts';
import type { DeploymentDraft } from '../model/deployment.types.ts';
import { deviceIds, percentage, version } from '../requests/fields.schema.ts';
import { defaultPolicy } from '../rules/rollout-policy.ts';

const deviceFilters = Joi.object<DeviceFilters>({
  device_type: optionalLabel(MAX_NAME_LENGTH),
  current_version: optionalLabel(MAX_VERSION_LENGTH),
  // Without a version the operator would be ignored, and the deployment would go to the whole fleet.
  version_operator: Joi.string()
    .valid(...VERSION_OPERATORS)
    .when('current_version', {
      not: Joi.exist(),
      then: Joi.forbidden().messages({ 'any.unknown': '{{#label}} needs current_version' }),
    }),
  status: Joi.string().valid(...DEVICE_CONNECTION_FILTERS),
  device_ids: deviceIds(),
}).meta(
  asJsonSchema({
    dependentSchemas: {
      version_operator: {
        required: ['current_version'],
        properties: { current_version: { minLength: 1 } },
      },
    },
  }),
);

const policy = Joi.object<Partial<RolloutPolicy>>({
  failure_threshold_percent: Joi.number().min(0).max(100).allow(null),
  failure_min_devices: Joi.number().integer().min(1).max(1_000_000),
  device_timeout_minutes: Joi.number().integer().min(1).max(10_080),
  pickup_timeout_hours: Joi.number().positive().max(8_760).allow(null),
});

/** With each attribute, the number of kinds multiplies. */
const MAX_STRATIFY_BY = 3;

/** The keys of a creation. */
function deploymentKeys(allowInsecureLoopback: boolean) {
  return {
    deployment_name: label(MAX_NAME_LENGTH).required(),
    target_version: version().required(),
    rollout_strategy: Joi.string()
      .valid(...ROLLOUT_STRATEGIES)
      .required(),
    rollout_percentage: percentage().when('rollout_strategy', {
      not: Joi.valid('canary', 'rolling'),
      then: Joi.forbidden().messages({
        'any.unknown': '{{#label}} is only allowed for canary and rolling deployments',
      }),
    }),
    batch_size: Joi.number()
      .integer()
      .min(1)
      .max(100_000_000)
      .when('rollout_strategy', {
        not: 'rolling',
        then: Joi.forbidden().messages({
          'any.unknown': '{{#label}} is only allowed for rolling deployments',
        }),
      }),
    device_filters: deviceFilters,
    device_ids: deviceIds(),
    skip_up_to_date: Joi.boolean(),
    stratify_by: Joi.array()
      .items(label(MAX_NAME_LENGTH))
      .max(MAX_STRATIFY_BY)
      .unique()
      .custom(requireCanary),
    update_package_url: label(2_048)
      .required()
      .custom((value: string, helpers) => {
        const error = packageUrlError(value, allowInsecureLoopback);
        return error ? helpers.message({ custom: `update_package_url ${error}` }) : value;
      })
      .meta(asJsonSchema({ format: 'uri', pattern: '^https://[^\\s\\\\/?#@]+(?:[/?#][^\\s]*)?$' })),
    checksum: Joi.string()
      .pattern(/^\s*(?:[sS][hH][aA]256:)?[0-9a-fA-F]{64}\s*$/)
      .custom((value: string) => value.trim())
      .required()
      .messages({
        'string.pattern.base':
          'checksum must be a SHA-256 as sha256:<64 hex digits> or <64 hex digits>',
      }),
    release_notes: storableText(20_000).allow(''),
    policy,
    scheduled_at: timestamp(),
    manifest: storableText(65_536),
    signature: storableText(1_024),
  };
}

export type CreateDeploymentInput = Omit<CreateDeploymentRequest, 'scheduled_at'> & {
  scheduled_at?: Date;
};

export function createDeploymentSchema(
  allowInsecureLoopback: boolean,
): Joi.ObjectSchema<CreateDeploymentInput> {
  return Joi.object<CreateDeploymentInput>(deploymentKeys(allowInsecureLoopback))
    .oxor('rollout_percentage', 'batch_size')
    .and('manifest', 'signature')
    .messages({
      'object.oxor': 'rollout_percentage and batch_size cannot be combined',
      'object.and': 'manifest and signature must be sent together',
    })
    .custom(requirePickedDevices)
    .meta(
      asJsonSchema({
        ...KEYS_BY_STRATEGY,
        ...PICKED_DEVICES,
        dependentRequired: { manifest: ['signature'], signature: ['manifest'] },
      }),
    )
    .required();
}

/** The keys that only some strategies have, as JSON Schema. */
const KEYS_BY_STRATEGY = {
  not: { required: ['rollout_percentage', 'batch_size'] },
  dependentSchemas: {
    rollout_percentage: { properties: { rollout_strategy: { enum: ['canary', 'rolling'] } } },
    batch_size: { properties: { rollout_strategy: { const: 'rolling' } } },
    stratify_by: { properties: { rollout_strategy: { const: 'canary' } } },
  },
};

const DEVICE_FILTERS: (keyof DeviceFilters)[] = [
  'device_type',
  'current_version',
  'status',
  'device_ids',
];
const isGiven = (key: string) => ({
  required: [key],
  properties: { [key]: { not: { const: '' } } },
});

/** {@link requirePickedDevices} as JSON Schema. */
const PICKED_DEVICES = {
  if: { properties: { rollout_strategy: { const: 'manual' } } },
  then: {
    anyOf: [
      { required: ['device_ids'] },
      {
        required: ['device_filters'],
        properties: { device_filters: { anyOf: DEVICE_FILTERS.map(isGiven) } },
      },
    ],
  },
};

/** A manual deployment needs device ids or a filter, so that it does not go to all devices by mistake. */
const requirePickedDevices: Joi.CustomValidator<CreateDeploymentInput> = (body, helpers) => {
  const picked =
    body.rollout_strategy !== 'manual' ||
    body.device_ids !== undefined ||
    Object.values(body.device_filters ?? {}).some((filter) => filter !== '');
  return picked
    ? body
    : helpers.message({ custom: 'a manual deployment needs device_ids or device_filters' });
};

const requireCanary: Joi.CustomValidator<string[]> = (attributes, helpers) => {
  const [{ rollout_strategy }] = helpers.state.ancestors as [CreateDeploymentInput];
  return rollout_strategy === 'canary'
    ? attributes
    : helpers.message({ custom: 'stratify_by is only allowed for canary deployments' });
};

const requireTargetVersion: Joi.CustomValidator<boolean> = (skips, helpers) => {
  const [{ target_version = '' }] = helpers.state.ancestors as [CreateDeploymentInput];
  return skips && target_version === ''
    ? helpers.message({ custom: 'skip_up_to_date needs target_version' })
    : skips;
};

/** The body of a preview: like a creation, but keys that do not matter here are optional and not checked. */
export function previewDeploymentSchema(
  allowInsecureLoopback: boolean,
): Joi.ObjectSchema<CreateDeploymentInput> {
  const keys = deploymentKeys(allowInsecureLoopback);
  return Joi.object<CreateDeploymentInput>({
    ...keys,
    deployment_name: Joi.any(),
    target_version: optionalLabel(MAX_VERSION_LENGTH),
    skip_up_to_date: Joi.boolean().custom(requireTargetVersion),
    update_package_url: Joi.any(),
    checksum: Joi.any(),
    release_notes: Joi.any(),
    manifest: Joi.any(),
    signature: Joi.any(),
  })
    .oxor('rollout_percentage', 'batch_size')
    .messages({ 'object.oxor': 'rollout_percentage and batch_size cannot be combined' })
    .meta(
      asJsonSchema({
        ...KEYS_BY_STRATEGY,
        if: { required: ['skip_up_to_date'], properties: { skip_up_to_date: { const: true } } },
        then: { required: ['target_version'], properties: { target_version: { minLength: 1 } } },
      }),
    )
    .required();
}

/** Converts a validated body and fills in defaults. Top-level `device_ids` become a filter. */
export function toDraft(body: CreateDeploymentInput): DeploymentDraft {
  return {
    name: body.deployment_name,
    // Optional in a preview.
    targetVersion: body.target_version ?? '',
    strategy: body.rollout_strategy,
    rolloutPercentage: body.rollout_percentage ?? defaultPercentage(body),
    batchSize: body.batch_size ?? null,
    policy: { ...defaultPolicy(body.rollout_strategy), ...body.policy },
    updatePackageUrl: body.update_package_url,
    checksum: body.checksum,
    releaseNotes: body.release_notes ?? '',
    deviceFilters: toFilters(body),
    skipUpToDate: body.skip_up_to_date ?? false,
    stratifyBy: body.stratify_by ?? [],
    manifest: body.manifest ?? null,
    signature: body.signature ?? null,
    // Not validated in a preview.
    packageName: typeof body.manifest === 'string' ? packageNameOf(body.manifest) : null,
    scheduledAt: body.scheduled_at ?? null,
  };
}

function defaultPercentage({ rollout_strategy, batch_size }: CreateDeploymentInput): number | null {
  if (rollout_strategy === 'canary') return DEFAULT_CANARY_PERCENTAGE;
  if (rollout_strategy === 'rolling' && batch_size === undefined) return DEFAULT_ROLLING_PERCENTAGE;
  return null;
}

function toFilters(body: CreateDeploymentInput): DeviceFilters {
  const filters = body.device_filters ?? {};
  if (!body.device_ids) return filters;
  const picked = new Set(filters.device_ids ?? body.device_ids);
  return { ...filters, device_ids: body.device_ids.filter((id) => picked.has(id)) };
}
