import { inject, injectable } from 'inversify';
import { EventRepository } from '../../audit/event.ports.ts';
import type {
  DeploymentDetail,
  DeploymentList,
  EventPage,
  TargetPage,
} from '../../contract/admin-api.ts';
import { notFound } from '../../kernel/errors.ts';
import { type DeploymentListQuery, DeploymentRepository } from '../model/deployment.ports.ts';
import { toDetail, toSummary } from './deployment.views.ts';
import { ForecastContexts } from './forecast-context.service.ts';
import type { Deployment } from '../model/deployment.types.ts';
import { type TargetQuery, TargetViews } from '../model/target.ports.ts';

const DEVICES_IN_DETAIL = 100;
const EVENTS_IN_PAGE = 50;

/** Reads deployments of the caller's organization. All methods throw `not_found` for unknown ids. */
@injectable()
export class DeploymentQueries {
  readonly #targets: TargetViews;
  readonly #events: EventRepository;

  constructor(
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(TargetViews) targets: TargetViews,
    @inject(EventRepository) events: EventRepository,
    @inject(ForecastContexts) private readonly forecasts: ForecastContexts,
  ) {
    this.#targets = targets;
    this.#events = events;
  }

  async list(organizationId: string, query: DeploymentListQuery): Promise<DeploymentList> {
    const [{ deployments, totalCount }, context] = await Promise.all([
      this.deployments.list(organizationId, query),
      this.forecasts.read(organizationId),
    ]);
    return {
      deployments: deployments.map(({ deployment, batches }) =>
        toSummary(deployment, batches, context),
      ),
      pagination: {
        page: query.page,
        page_size: query.pageSize,
        total_count: totalCount,
        total_pages: Math.ceil(totalCount / query.pageSize),
      },
    };
  }

  async find(organizationId: string, id: string): Promise<Deployment> {
    const deployment = await this.deployments.find(organizationId, id);
    if (!deployment) throw notFound('This deployment');
    return deployment;
  }

  async detail(organizationId: string, id: string): Promise<DeploymentDetail> {
    const state = await this.deployments.findState(organizationId, id);
    if (!state) throw notFound('This deployment');
    const { deployment, batches } = state;
    const [{ targets }, context] = await Promise.all([
      this.#targets.page(deployment, { limit: DEVICES_IN_DETAIL }),
      this.forecasts.read(organizationId),
    ]);
    return toDetail(deployment, batches, context, targets);
  }

  async targets(organizationId: string, id: string, query: TargetQuery): Promise<TargetPage> {
    const deployment = await this.find(organizationId, id);
    const { targets, next } = await this.#targets.page(deployment, query);
    return { devices: targets, next_cursor: next === null ? null : String(next) };
  }

  async events(organizationId: string, id: string, cursor: string | null): Promise<EventPage> {
    await this.find(organizationId, id);
    const events = await this.#events.page(id, cursor, EVENTS_IN_PAGE);
    const last = events.at(-1);
    return { events, next_cursor: last && events.length === EVENTS_IN_PAGE ? last.id : null };
  }
}
