import type { Request, Response } from 'express';
import { inject, injectable } from 'inversify';
import type { DevicePage } from '../contract/admin-api.ts';
import { adminOf } from '../http/guards.ts';
import { pathId } from '../http/path-id.ts';
import { validate } from '../http/validate.ts';
import { CensusService } from './census.service.ts';
import { facetsOf } from './census.ts';
import { FleetRepository } from './fleet.ports.ts';
import { DeviceQueries } from './device-queries.service.ts';
import { fleetQuerySchema, historyQuerySchema } from './fleet.schema.ts';
import { InstallLogService } from '../devices/install-log.service.ts';

/** Reads devices and their installation logs. The routes are in `api/admin.router.ts`. */
@injectable()
export class FleetController {
  readonly #logs: InstallLogService;

  constructor(
    @inject(FleetRepository) private readonly fleet: FleetRepository,
    @inject(CensusService) private readonly census: CensusService,
    @inject(DeviceQueries) private readonly devices: DeviceQueries,
    @inject(InstallLogService) logs: InstallLogService,
  ) {
    this.#logs = logs;
  }

  list = async (request: Request, response: Response): Promise<void> => {
    const query = validate(fleetQuerySchema, request.query);
    const { organizationId } = adminOf(request);
    const [page, census] = await Promise.all([
      this.fleet.page(organizationId, {
        search: query.search,
        deviceType: query.device_type,
        status: query.status,
        afterId: query.cursor,
        limit: query.limit,
      }),
      this.census.get({ organizationId, deployment: null }),
    ]);
    response.json({
      ...page,
      facets: facetsOf(census?.groups ?? []),
      facets_as_of: census?.countedAt.toISOString() ?? null,
    } satisfies DevicePage);
  };

  detail = async (request: Request, response: Response): Promise<void> => {
    const { organizationId } = adminOf(request);
    response.json(await this.devices.detail(organizationId, deviceIdOf(request)));
  };

  history = async (request: Request, response: Response): Promise<void> => {
    const id = deviceIdOf(request);
    const { cursor, limit } = validate(historyQuerySchema, request.query);
    const { organizationId } = adminOf(request);
    response.json(await this.devices.history(organizationId, id, cursor ?? null, limit));
  };

  logs = async (request: Request, response: Response): Promise<void> => {
    response.json(
      await this.#logs.read(
        adminOf(request).organizationId,
        pathId(request.params['id'], 'This deployment'),
        deviceIdOf(request),
      ),
    );
  };
}

function deviceIdOf(request: Request): string {
  return pathId(request.params['device_id'], 'This device');
}
