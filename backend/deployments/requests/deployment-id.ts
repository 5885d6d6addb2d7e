import type { Request } from 'express';
import { pathId } from '../../http/path-id.ts';

/** The id of the deployment in the path (`:id`). Throws `not_found` if it is not a UUID. */
export function deploymentIdOf(request: Request): string {
  return pathId(request.params['id'], 'This deployment');
}
