import Joi from 'joi';
import type { CheckUpdateQuery, LogUpload, StatusReport } from '../contract/device-api.ts';
import { MAX_NAME_LENGTH, MAX_VERSION_LENGTH } from '../contract/lengths.ts';
import {
  DEVICE_ACTIVITIES,
  FAILURE_CAUSES,
  PROTECTIONS,
  REPORTED_STATUSES,
} from '../contract/states.ts';
import { asJsonSchema } from '../http/json-schema.meta.ts';
import { isStorableText, lenientText, logText, storableText } from '../http/text.schema.ts';

const versionText = storableText(MAX_VERSION_LENGTH).allow('');
const MAX_ERROR_LENGTH = 4_000;

type PollQuery = Omit<CheckUpdateQuery, 'protection' | 'components'> & {
  protection?: unknown;
  components?: unknown;
};

export const checkUpdateQuerySchema = Joi.object<PollQuery>({
  device_id: Joi.string().required(),
  // A poll must not fail because of its version, so one that cannot be stored counts as absent.
  current_version: Joi.string()
    .max(200)
    .allow('')
    .custom((value: string) => (versionText.validate(value).error ? '' : value)),
  // Read by `readProfile`, for which everything that it cannot use is absent.
  protection: Joi.any().meta(asJsonSchema({ enum: PROTECTIONS })),
  components: Joi.any().meta(
    asJsonSchema({ type: 'string', contentMediaType: 'application/json' }),
  ),
}).unknown();

/**
 * Whether {@link checkUpdateQuerySchema} accepts the query and changes nothing, which holds for almost all polls. To find
 * out, Joi would take a twelfth of the time of a poll.
 */
export function isUsualPoll(
  query: Record<string, unknown>,
): query is Record<string, unknown> & PollQuery {
  const { device_id: id, current_version: version } = query;
  if (typeof id !== 'string' || id === '') return false;
  if (version === undefined || version === '') return true;
  return typeof version === 'string' && isStorableText(version, MAX_VERSION_LENGTH);
}

export const deviceQuerySchema = Joi.object<{ device_id: string }>({
  device_id: Joi.string().required(),
}).unknown();

/** A value that only newer agents know counts as absent. */
const known = (...values: readonly string[]): Joi.StringSchema =>
  Joi.string()
    .valid(...values)
    .empty(Joi.any().invalid(...values));

const attempt = () => Joi.number().integer().min(1).max(1_000_000);

/**
 * Lenient, so that no report is lost because of its form: unknown keys of newer agents are ignored, and numbers may be
 * sent as text.
 */
export const statusReportSchema = Joi.object<StatusReport>({
  status: Joi.string()
    .valid(...REPORTED_STATUSES)
    .required(),
  error_message: lenientText(MAX_ERROR_LENGTH).allow(null),
  attempt: attempt(),
  progress: Joi.number().min(0).max(100).custom(Math.round),
  installed_version: lenientText(MAX_VERSION_LENGTH).empty(''),
  activity: known(...DEVICE_ACTIVITIES),
  failure_cause: known(...FAILURE_CAUSES),
  component: lenientText(MAX_NAME_LENGTH).empty(''),
})
  .unknown()
  .prefs({ convert: true });

export const logUploadSchema = Joi.object<LogUpload>({
  attempt: attempt().required(),
  chunk: logText().required(),
  offset: Joi.number().integer().min(0).max(Number.MAX_SAFE_INTEGER),
})
  .unknown()
  .prefs({ convert: true });
