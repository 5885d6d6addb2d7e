/** Reads the answer to a poll: an invalid one is refused before anything is done with it. */
import Joi from 'joi';
import type { CheckUpdateResponse, RollbackOrder } from '../../../backend/contract/device-api.ts';

/** Becomes part of file names and URLs. */
const identifier = Joi.string().pattern(/^[A-Za-z0-9_-]{1,128}$/, 'identifier');
// Passed to install.sh and stored in a one-line file.
const version = Joi.string()
  .max(200)
  .pattern(/^[^\p{Cc}]+$/u, 'one line of text');
const attempt = Joi.number().integer().min(1).default(1);
const pollAfter = Joi.number().min(0);

const answerSchema = Joi.object({
  update_available: Joi.boolean().required(),
  rollback: Joi.object({
    deployment_id: identifier.required(),
    version: version.required(),
    attempt,
  })
    .unknown(true)
    .allow(null),
  poll_after_seconds: pollAfter,
})
  .unknown(true)
  // Without a body there is no answer.
  .required()
  .label('the answer');

const offerSchema = Joi.object({
  deployment_id: identifier.required(),
  target_version: version.required(),
  update_package_url: Joi.string().max(8192).required(),
  checksum: Joi.string()
    .pattern(/^(sha256:)?[0-9a-f]{64}$/i, 'SHA-256 checksum')
    .required(),
  attempt,
  manifest: Joi.string().max(65_536).allow(null, ''),
  signature: Joi.string().max(1024).allow(null, ''),
  poll_after_seconds: pollAfter,
}).unknown(true);

export interface AcceptableOffer {
  deployment_id: string;
  attempt: number;
  target_version: string;
  package_url: string;
  /** 64 hex digits, lower case. */
  checksum: string;
  manifest: string | null;
  signature: string | null;
}

export type PollAnswer =
  | { kind: 'nothing'; pollAfter: number | undefined }
  | { kind: 'rollback'; order: RollbackOrder; pollAfter: number | undefined }
  | { kind: 'offer'; offer: AcceptableOffer; pollAfter: number | undefined }
  /** `attempt` where the offer names it, so that the fault can be reported. */
  | {
      kind: 'unusable';
      faults: string;
      attempt: { deployment_id: string; attempt: number } | null;
    };

/** Never throws: an invalid answer is `unusable`. */
export function readPollAnswer(body: unknown): PollAnswer {
  const head = answerSchema.validate(body, { abortEarly: false, convert: false });
  if (head.error) return { kind: 'unusable', faults: head.error.message, attempt: null };
  const answer = head.value as CheckUpdateResponse;
  const requestedDelay = answer.poll_after_seconds;
  if (!answer.update_available) {
    return answer.rollback
      ? { kind: 'rollback', order: answer.rollback, pollAfter: requestedDelay }
      : { kind: 'nothing', pollAfter: requestedDelay };
  }
  const offer = offerSchema.validate(body, { abortEarly: false, convert: false });
  if (offer.error) {
    const bad = new Set(offer.error.details.map((detail) => String(detail.path[0])));
    const nameable = !bad.has('deployment_id') && !bad.has('attempt');
    return {
      kind: 'unusable',
      faults: offer.error.message,
      attempt: nameable
        ? { deployment_id: answer.deployment_id, attempt: answer.attempt ?? 1 }
        : null,
    };
  }
  const value = offer.value as typeof answer;
  return {
    kind: 'offer',
    pollAfter: requestedDelay,
    offer: {
      deployment_id: value.deployment_id,
      attempt: value.attempt,
      target_version: value.target_version,
      package_url: value.update_package_url,
      checksum: value.checksum.replace(/^sha256:/i, '').toLowerCase(),
      manifest: value.manifest || null,
      signature: value.signature || null,
    },
  };
}
