import { createHash } from 'node:crypto';
import type { Request } from 'express';
import type { IdempotentRequest } from '../model/deployment.ports.ts';
import { invalidRequest } from '../../kernel/errors.ts';

const WELL_FORMED = /^[\x21-\x7e]{1,255}$/;

/**
 * The header `Idempotency-Key` with what it stands for: two bodies are the same when they say the same, in
 * whatever order. `null`: none was sent. Throws `invalid_request`.
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

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, inner]) => [key, canonical(inner)]);
}
