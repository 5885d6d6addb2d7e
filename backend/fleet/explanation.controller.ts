import type { Request, Response } from 'express';
import { inject, injectable } from 'inversify';
import { adminOf } from '../http/guards.ts';
import { pathId } from '../http/path-id.ts';
import { validate } from '../http/validate.ts';
import { explanationQuerySchema } from './explanation.schema.ts';
import { ExplanationService } from './explanation.service.ts';

/** Explains what a device waits for. The route is in `api/admin.router.ts`. */
@injectable()
export class ExplanationController {
  constructor(@inject(ExplanationService) private readonly explanations: ExplanationService) {}

  read = async (request: Request, response: Response): Promise<void> => {
    const { deployment_id: deploymentId } = validate(explanationQuerySchema, request.query);
    response.json(
      await this.explanations.explain(
        adminOf(request).organizationId,
        pathId(request.params['device_id'], 'This device'),
        deploymentId === undefined ? null : pathId(deploymentId, 'This deployment'),
      ),
    );
  };
}
