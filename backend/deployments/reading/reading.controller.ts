import type { Request, Response } from 'express';
import { inject, injectable } from 'inversify';
import { adminOf } from '../../http/guards.ts';
import { validate } from '../../http/validate.ts';
import { deploymentIdOf } from '../requests/deployment-id.ts';
import { DeploymentQueries } from './deployment-queries.service.ts';
import { eventQuerySchema, listQuerySchema, targetQuerySchema } from './reading.schema.ts';

/** Reads deployments, their targets and their timelines. The routes are in `api/admin.router.ts`. */
@injectable()
export class ReadingController {
  constructor(@inject(DeploymentQueries) private readonly queries: DeploymentQueries) {}

  list = async (request: Request, response: Response): Promise<void> => {
    const query = validate(listQuerySchema, request.query);
    response.json(
      await this.queries.list(adminOf(request).organizationId, {
        status: query.status,
        search: query.search,
        page: query.page,
        pageSize: query.page_size,
      }),
    );
  };

  detail = async (request: Request, response: Response): Promise<void> => {
    response.json(
      await this.queries.detail(adminOf(request).organizationId, deploymentIdOf(request)),
    );
  };

  devices = async (request: Request, response: Response): Promise<void> => {
    const id = deploymentIdOf(request);
    const query = validate(targetQuerySchema, request.query);
    response.json(
      await this.queries.targets(adminOf(request).organizationId, id, {
        status: query.status,
        batch: query.batch,
        search: query.search,
        waitingFor: query.waiting_for,
        afterPosition: query.cursor === undefined ? undefined : Number(query.cursor),
        limit: query.limit,
      }),
    );
  };

  events = async (request: Request, response: Response): Promise<void> => {
    const id = deploymentIdOf(request);
    const { cursor } = validate(eventQuerySchema, request.query);
    response.json(await this.queries.events(adminOf(request).organizationId, id, cursor ?? null));
  };
}
