import type { Request, Response } from 'express';
import { inject, injectable } from 'inversify';
import type { AdminCaller } from '../../kernel/admin-caller.ts';
import { PluginConfig } from '../../config.ts';
import type { RetryResponse, RollbackAccepted } from '../../contract/admin-api.ts';
import { adminOf } from '../../http/guards.ts';
import { idempotencyKey } from '../creation/idempotency-key.ts';
import { pathId } from '../../http/path-id.ts';
import { validate } from '../../http/validate.ts';
import { DeploymentCreation } from '../creation/creation.service.ts';
import { DeploymentImpacts } from '../creation/impact.service.ts';
import { DeploymentQueries } from '../reading/deployment-queries.service.ts';
import {
  createDeploymentSchema,
  emptySchema,
  eventQuerySchema,
  expandSchema,
  listQuerySchema,
  previewDeploymentSchema,
  retrySchema,
  rollbackSchema,
  targetQuerySchema,
  toDraft,
} from '../creation/deployment.schema.ts';
import { DeploymentService } from './control.service.ts';
import { TargetRecovery } from './recovery.service.ts';

type SimpleAction = 'start' | 'pause' | 'resume' | 'cancel';

/** HTTP in, service call, HTTP out; the routes stand in `http/admin.router.ts`. */
@injectable()
export class DeploymentController {
  readonly #createSchema: ReturnType<typeof createDeploymentSchema>;
  readonly #previewSchema: ReturnType<typeof previewDeploymentSchema>;

  constructor(
    @inject(DeploymentCreation) private readonly creation: DeploymentCreation,
    @inject(DeploymentService) private readonly service: DeploymentService,
    @inject(TargetRecovery) private readonly recovery: TargetRecovery,
    @inject(DeploymentQueries) private readonly queries: DeploymentQueries,
    @inject(DeploymentImpacts) private readonly impacts: DeploymentImpacts,
    @inject(PluginConfig) config: PluginConfig,
  ) {
    this.#createSchema = createDeploymentSchema(config.allow_insecure_loopback_packages);
    this.#previewSchema = previewDeploymentSchema(config.allow_insecure_loopback_packages);
  }

  create = async (request: Request, response: Response): Promise<void> => {
    const draft = toDraft(validate(this.#createSchema, request.body));
    const repeatable = idempotencyKey(request);
    const created = await this.creation.create(adminOf(request), draft, repeatable);
    response.locals['deploymentId'] = created.deployment_id;
    response.status(201).json(created);
  };

  preview = async (request: Request, response: Response): Promise<void> => {
    const draft = toDraft(validate(this.#previewSchema, request.body));
    response.json(await this.creation.preview(adminOf(request).organizationId, draft));
  };

  impactOfDraft = async (request: Request, response: Response): Promise<void> => {
    const draft = toDraft(validate(this.#previewSchema, request.body));
    response.json(await this.impacts.ofDraft(adminOf(request).organizationId, draft));
  };

  impact = async (request: Request, response: Response): Promise<void> => {
    response.json(await this.impacts.of(adminOf(request).organizationId, deploymentId(request)));
  };

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
    await this.#answerDetail(response, adminOf(request), deploymentId(request));
  };

  devices = async (request: Request, response: Response): Promise<void> => {
    const id = deploymentId(request);
    const query = validate(targetQuerySchema, request.query);
    response.json(
      await this.queries.targets(adminOf(request).organizationId, id, {
        status: query.status,
        batch: query.batch,
        search: query.search,
        afterPosition: query.cursor === undefined ? undefined : Number(query.cursor),
        limit: query.limit,
      }),
    );
  };

  act = (action: SimpleAction) => {
    return async (request: Request, response: Response): Promise<void> => {
      validate(emptySchema, request.body);
      const admin = adminOf(request);
      const id = deploymentId(request);
      await this.service[action](admin, id);
      await this.#answerDetail(response, admin, id);
    };
  };

  expand = async (request: Request, response: Response): Promise<void> => {
    const { percentage } = validate(expandSchema, request.body);
    const admin = adminOf(request);
    const id = deploymentId(request);
    await this.service.expand(admin, id, percentage);
    await this.#answerDetail(response, admin, id);
  };

  retry = async (request: Request, response: Response): Promise<void> => {
    const body = validate(retrySchema, request.body);
    const admin = adminOf(request);
    const id = deploymentId(request);
    const retried = await this.recovery.retry(admin, id, body.device_ids ?? null);
    const answer: RetryResponse = {
      retried_devices: retried,
      deployment: await this.queries.detail(admin.organizationId, id),
    };
    response.json(answer);
  };

  rollback = async (request: Request, response: Response): Promise<void> => {
    const body = validate(rollbackSchema, request.body);
    const version = await this.recovery.requestRollback(
      adminOf(request),
      deploymentId(request),
      pathId(request.params['device_id'], 'This device'),
      { previousVersion: body.previous_version ?? null, force: body.force ?? false },
    );
    const answer: RollbackAccepted = {
      status: 'accepted',
      message: `The device is asked to go back to ${version} at its next poll.`,
    };
    response.status(202).json(answer);
  };

  withdrawRollback = async (request: Request, response: Response): Promise<void> => {
    const deviceId = pathId(request.params['device_id'], 'This device');
    await this.recovery.withdrawRollback(adminOf(request), deploymentId(request), deviceId);
    response.status(204).end();
  };

  events = async (request: Request, response: Response): Promise<void> => {
    const id = deploymentId(request);
    const { cursor } = validate(eventQuerySchema, request.query);
    response.json(await this.queries.events(adminOf(request).organizationId, id, cursor ?? null));
  };

  async #answerDetail(response: Response, admin: AdminCaller, id: string): Promise<void> {
    response.json(await this.queries.detail(admin.organizationId, id));
  }
}

function deploymentId(request: Request): string {
  return pathId(request.params['id'], 'This deployment');
}
