import { createHash } from 'node:crypto';
import type { Request } from 'express';
import type { IdempotentRequest } from '../model/deployment.ports.ts';
import { invalidRequest } from '../../kernel/errors.ts';

const WELL_FORMED = /^[\x21-\x7e]{1,255}$/;

/**
 * The `Idempotency-Key` header with a hash of the body, which does not depend on the order of keys; `null` if the header
 * is absent. Throws `invalid_request`.
 */
export function idempotencyKey(request: Request): IdempotentRequest | null {
  const key = request.get('idempotency-key');
  if (key === undefined) return null;
  if (!WELL_FORMED.test(key)) {
    const message = 'Idempotency-Key must be 1 to 255 visible ASCII characters without spaces';
    throw invalidRequest([{ path: 'Idempotency-Key', message }]);
  }
  const hash = createHash('sha256')
    .update(JSON.stringify(canonical(request.body)))
    .digest('hex');
  return { key, hash };
}

/** A value whose JSON is the same for objects with the same content. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, inner]) => [key, canonical(inner)]);
}
