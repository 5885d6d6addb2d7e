import type { Request, Response } from 'express';
import { inject, injectable } from 'inversify';
import { PluginConfig } from '../../config.ts';
import { adminOf } from '../../http/guards.ts';
import { validate } from '../../http/validate.ts';
import { deploymentIdOf } from '../requests/deployment-id.ts';
import { DeploymentCreation } from './creation.service.ts';
import { createDeploymentSchema, previewDeploymentSchema, toDraft } from './creation.schema.ts';
import { idempotencyKey } from './idempotency-key.ts';
import { ImpactService } from './impact.service.ts';

/** Creates and previews deployments. The routes are in `api/admin.router.ts`. */
@injectable()
export class CreationController {
  readonly #createSchema: ReturnType<typeof createDeploymentSchema>;
  readonly #previewSchema: ReturnType<typeof previewDeploymentSchema>;

  constructor(
    @inject(DeploymentCreation) private readonly creation: DeploymentCreation,
    @inject(ImpactService) private readonly impacts: ImpactService,
    @inject(PluginConfig) config: PluginConfig,
  ) {
    this.#createSchema = createDeploymentSchema(config.allow_insecure_loopback_packages);
    this.#previewSchema = previewDeploymentSchema(config.allow_insecure_loopback_packages);
  }

  create = async (request: Request, response: Response): Promise<void> => {
    const draft = toDraft(validate(this.#createSchema, request.body));
    const idempotent = idempotencyKey(request);
    const created = await this.creation.create(adminOf(request), draft, idempotent);
    response.locals['deploymentId'] = created.deployment_id;
    response.status(201).json(created);
  };

  preview = async (request: Request, response: Response): Promise<void> => {
    const draft = toDraft(validate(this.#previewSchema, request.body));
    response.json(await this.creation.preview(adminOf(request).organizationId, draft));
  };

  draftImpact = async (request: Request, response: Response): Promise<void> => {
    const draft = toDraft(validate(this.#previewSchema, request.body));
    response.json(await this.impacts.forDraft(adminOf(request).organizationId, draft));
  };

  impact = async (request: Request, response: Response): Promise<void> => {
    response.json(
      await this.impacts.forDeployment(adminOf(request).organizationId, deploymentIdOf(request)),
    );
  };
}
