import type { Request, Response } from 'express';
import { inject, injectable } from 'inversify';
import { adminOf } from '../http/guards.ts';
import { pathId } from '../http/path-id.ts';
import { validate } from '../http/validate.ts';
import { metricsQuerySchema } from './metrics.schema.ts';
import { MetricsService } from './metrics.service.ts';

@injectable()
export class MetricsController {
  constructor(@inject(MetricsService) private readonly metrics: MetricsService) {}

  read = async (request: Request, response: Response): Promise<void> => {
    const { deployment_id: id } = validate(metricsQuerySchema, request.query);
    response.json(
      await this.metrics.read(
        adminOf(request).organizationId,
        id === undefined ? null : pathId(id, 'This deployment'),
      ),
    );
  };
}
