import type { Request, Response } from 'express';
import { inject, injectable } from 'inversify';
import Joi from 'joi';
import { adminOf } from '../http/guards.ts';
import { pathId } from '../http/path-id.ts';
import { validate } from '../http/validate.ts';
import { MetricsService } from './metrics.service.ts';

const querySchema = Joi.object<{ deployment_id?: string }>({
  deployment_id: Joi.string().max(100).empty(''),
});

@injectable()
export class MetricsController {
  readonly #metrics: MetricsService;

  constructor(@inject(MetricsService) metrics: MetricsService) {
    this.#metrics = metrics;
  }

  read = async (request: Request, response: Response): Promise<void> => {
    const { deployment_id: id } = validate(querySchema, request.query);
    response.json(
      await this.#metrics.read(
        adminOf(request).organizationId,
        id === undefined ? null : pathId(id, 'This deployment'),
      ),
    );
  };
}
