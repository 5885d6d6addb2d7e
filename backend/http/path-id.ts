import { notFound } from '../kernel/errors.ts';
import { isUuid } from '../kernel/uuid.ts';

/** An id from the path; what cannot be an id answers like an unknown one. */
export function pathId(value: unknown, what: string): string {
  if (typeof value !== 'string' || !isUuid(value)) throw notFound(what);
  return value.toLowerCase();
}
