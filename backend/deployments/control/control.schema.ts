import Joi from 'joi';
import type { ExpandRequest, RetryRequest, RollbackRequest } from '../../contract/admin-api.ts';
import { deviceIds, percentage, version } from '../requests/fields.schema.ts';

export const expandSchema = Joi.object<Required<ExpandRequest>>({
  percentage: percentage().default(100),
});

export const retrySchema = Joi.object<RetryRequest>({ device_ids: deviceIds() });

export const rollbackSchema = Joi.object<RollbackRequest>({
  previous_version: version(),
  force: Joi.boolean(),
});

/** For actions without parameters: the body must be missing or `{}`. */
export const emptySchema = Joi.object<Record<string, never>>({});
