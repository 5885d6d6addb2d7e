import type { Request, Response } from 'express';
import { inject, injectable } from 'inversify';
import type { RetryResponse, RollbackAccepted } from '../../contract/admin-api.ts';
import { adminOf } from '../../http/guards.ts';
import { pathId } from '../../http/path-id.ts';
import { validate } from '../../http/validate.ts';
import type { AdminCaller } from '../../kernel/admin-caller.ts';
import { deploymentIdOf } from '../requests/deployment-id.ts';
import { DeploymentQueries } from '../reading/deployment-queries.service.ts';
import { emptySchema, expandSchema, retrySchema, rollbackSchema } from './control.schema.ts';
import { DeploymentControl } from './control.service.ts';
import { TargetRecovery } from './recovery.service.ts';

type SimpleAction = 'start' | 'pause' | 'resume' | 'cancel';

/** Actions on deployments and single devices. The routes are in `api/admin.router.ts`. */
@injectable()
export class ControlController {
  constructor(
    @inject(DeploymentControl) private readonly control: DeploymentControl,
    @inject(TargetRecovery) private readonly recovery: TargetRecovery,
    @inject(DeploymentQueries) private readonly queries: DeploymentQueries,
  ) {}

  /** The handler of an action without parameters. */
  action = (action: SimpleAction) => {
    return async (request: Request, response: Response): Promise<void> => {
      validate(emptySchema, request.body);
      const admin = adminOf(request);
      const id = deploymentIdOf(request);
      await this.control[action](admin, id);
      await this.#sendDetail(response, admin, id);
    };
  };

  expand = async (request: Request, response: Response): Promise<void> => {
    const { percentage } = validate(expandSchema, request.body);
    const admin = adminOf(request);
    const id = deploymentIdOf(request);
    await this.control.expand(admin, id, percentage);
    await this.#sendDetail(response, admin, id);
  };

  retry = async (request: Request, response: Response): Promise<void> => {
    const body = validate(retrySchema, request.body);
    const admin = adminOf(request);
    const id = deploymentIdOf(request);
    const retried = await this.recovery.retry(admin, id, body.device_ids ?? null);
    const result: RetryResponse = {
      retried_devices: retried,
      deployment: await this.queries.detail(admin.organizationId, id),
    };
    response.json(result);
  };

  rollback = async (request: Request, response: Response): Promise<void> => {
    const body = validate(rollbackSchema, request.body);
    const version = await this.recovery.requestRollback(
      adminOf(request),
      deploymentIdOf(request),
      pathId(request.params['device_id'], 'This device'),
      { previousVersion: body.previous_version ?? null, force: body.force ?? false },
    );
    const result: RollbackAccepted = {
      status: 'accepted',
      message: `The device rolls back to ${version} after its next poll.`,
    };
    response.status(202).json(result);
  };

  cancelRollback = async (request: Request, response: Response): Promise<void> => {
    const deviceId = pathId(request.params['device_id'], 'This device');
    await this.recovery.cancelRollback(adminOf(request), deploymentIdOf(request), deviceId);
    response.status(204).end();
  };

  async #sendDetail(response: Response, admin: AdminCaller, id: string): Promise<void> {
    response.json(await this.queries.detail(admin.organizationId, id));
  }
}
