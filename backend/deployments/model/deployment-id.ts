import type { Request } from 'express';
import { pathId } from '../../http/path-id.ts';

/** The deployment that a path names as `:id`. Throws `not_found` for what is no UUID. */
export function deploymentIdOf(request: Request): string {
  return pathId(request.params['id'], 'This deployment');
}
