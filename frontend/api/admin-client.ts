/** The admin API as the page uses it, one function a route. Every one of them rejects with `ApiError`. */
import type { CreateDeploymentRequest } from '../../backend/contract/admin-api.ts';
import type { operations } from '../../backend/contract/openapi.ts';
import { unwrap, api } from './http.ts';

/** The query of a route; `null` and empty values are left out. */
type QueryOf<Name extends keyof operations> = Nullable<
  NonNullable<operations[Name]['parameters']['query']>
>;
type Nullable<Query> = { [Key in keyof Query]: Query[Key] | null };

export type DeploymentQuery = QueryOf<'listDeployments'>;

type SimpleAction = 'start' | 'pause' | 'resume' | 'cancel';

const ofDeployment = (id: string) => ({ path: { id } });
const ofTarget = (id: string, deviceId: string) => ({ path: { id, device_id: deviceId } });

export const adminClient = {
  listDeployments: (query: DeploymentQuery, signal?: AbortSignal) =>
    unwrap(api.GET('/deployments', { params: { query: given(query) }, ...aborted(signal) })),

  /** @param key what makes it safe to send the same body again */
  createDeployment: (body: CreateDeploymentRequest, key: string) =>
    unwrap(api.POST('/deployments', { body, params: { header: { 'Idempotency-Key': key } } })),

  previewDeployment: (body: CreateDeploymentRequest, signal?: AbortSignal) =>
    unwrap(api.POST('/deployments/preview', { body, ...aborted(signal) })),

  getDraftImpact: (body: CreateDeploymentRequest, signal?: AbortSignal) =>
    unwrap(api.POST('/deployments/impact', { body, ...aborted(signal) })),

  getImpact: (id: string, signal?: AbortSignal) =>
    unwrap(api.GET('/deployments/{id}/impact', { params: ofDeployment(id), ...aborted(signal) })),

  getDeployment: (id: string, signal?: AbortSignal) =>
    unwrap(api.GET('/deployments/{id}', { params: ofDeployment(id), ...aborted(signal) })),

  /** The actions without anything to say. */
  act: (id: string, action: SimpleAction) =>
    unwrap(api.POST(`/deployments/{id}/${action}`, { params: ofDeployment(id), body: {} })),

  expand: (id: string, percentage: number) =>
    unwrap(
      api.POST('/deployments/{id}/expand', { params: ofDeployment(id), body: { percentage } }),
    ),

  /** Without `deviceIds` all failed targets are tried again. */
  retry: (id: string, deviceIds?: string[]) =>
    unwrap(
      api.POST('/deployments/{id}/retry', {
        params: ofDeployment(id),
        body: deviceIds ? { device_ids: deviceIds } : {},
      }),
    ),

  rollback: (
    id: string,
    deviceId: string,
    { version, force = false }: { version?: string | undefined; force?: boolean } = {},
  ) =>
    unwrap(
      api.POST('/deployments/{id}/devices/{device_id}/rollback', {
        params: ofTarget(id, deviceId),
        body: { ...(version && { previous_version: version }), ...(force && { force }) },
      }),
    ),

  /** Cancels a requested rollback that the device has not reported yet. */
  cancelRollback: (id: string, deviceId: string) =>
    unwrap(
      api.DELETE('/deployments/{id}/devices/{device_id}/rollback', {
        params: ofTarget(id, deviceId),
      }),
    ),

  listTargets: (id: string, query: QueryOf<'listTargets'>, signal?: AbortSignal) =>
    unwrap(
      api.GET('/deployments/{id}/devices', {
        params: { ...ofDeployment(id), query: given(query) },
        ...aborted(signal),
      }),
    ),

  getLogs: (id: string, deviceId: string, signal?: AbortSignal) =>
    unwrap(
      api.GET('/deployments/{id}/devices/{device_id}/logs', {
        params: ofTarget(id, deviceId),
        ...aborted(signal),
      }),
    ),

  listEvents: (id: string, cursor?: string | null, signal?: AbortSignal) =>
    unwrap(
      api.GET('/deployments/{id}/events', {
        params: { ...ofDeployment(id), query: given({ cursor }) },
        ...aborted(signal),
      }),
    ),

  listDevices: (query: QueryOf<'listDevices'>, signal?: AbortSignal) =>
    unwrap(api.GET('/devices', { params: { query: given(query) }, ...aborted(signal) })),

  getMetrics: (deploymentId?: string, signal?: AbortSignal) =>
    unwrap(
      api.GET('/metrics', {
        params: { query: given({ deployment_id: deploymentId }) },
        ...aborted(signal),
      }),
    ),
};

/** What the client leaves out anyway, left out of the type. */
function given<Query extends object>(
  query: Query,
): { [Key in keyof Query]: Exclude<Query[Key], null> } {
  return query as { [Key in keyof Query]: Exclude<Query[Key], null> };
}

function aborted(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}
