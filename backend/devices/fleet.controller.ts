import type { Request, Response } from 'express';
import { inject, injectable } from 'inversify';
import { adminOf } from '../http/guards.ts';
import { pathId } from '../http/path-id.ts';
import { validate } from '../http/validate.ts';
import { TOKENS } from '../tokens.ts';
import type { FleetRepository } from './device.ports.ts';
import { fleetQuerySchema } from './fleet.schema.ts';
import { InstallLogService } from './install-log.service.ts';

/** What admins read about devices: the fleet to pick from, and installation logs. */
@injectable()
export class FleetController {
  readonly #fleet: FleetRepository;
  readonly #logs: InstallLogService;

  constructor(
    @inject(TOKENS.FleetRepository) fleet: FleetRepository,
    @inject(InstallLogService) logs: InstallLogService,
  ) {
    this.#fleet = fleet;
    this.#logs = logs;
  }

  list = async (request: Request, response: Response): Promise<void> => {
    const query = validate(fleetQuerySchema, request.query);
    response.json(
      await this.#fleet.page(adminOf(request).organizationId, {
        search: query.search,
        deviceType: query.device_type,
        status: query.status,
        afterId: query.cursor,
        limit: query.limit,
      }),
    );
  };

  logs = async (request: Request, response: Response): Promise<void> => {
    response.json(
      await this.#logs.read(
        adminOf(request).organizationId,
        pathId(request.params['id'], 'This deployment'),
        pathId(request.params['device_id'], 'This device'),
      ),
    );
  };
}
