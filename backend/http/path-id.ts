import { notFound } from '../kernel/errors.ts';
import { isUuid } from '../kernel/uuid.ts';

/**
 * A UUID from the path, in lower case. Throws `not_found` for anything else, as for an unknown id.
 *
 * @param what the subject of the error, e.g. `This device`
 */
export function pathId(value: unknown, what: string): string {
  if (typeof value !== 'string' || !isUuid(value)) throw notFound(what);
  return value.toLowerCase();
}
