/** The admin API as the page uses it, one function per route. Each rejects with an `ApiError`. */
import type { CreateDeploymentRequest } from '../../backend/contract/admin-api.ts';
import type { operations } from '../../backend/contract/generated/openapi.ts';
import { unwrap, api } from './http.ts';

/** The query of a route; `null` and empty values are left out. */
type QueryOf<Name extends keyof operations> = Nullable<
  NonNullable<operations[Name]['parameters']['query']>
>;
type Nullable<Query> = { [Key in keyof Query]: Query[Key] | null };

export type DeploymentQuery = QueryOf<'listDeployments'>;

type SimpleAction = 'start' | 'pause' | 'resume' | 'cancel';

const ofDeployment = (id: string) => ({ path: { id } });
const ofDevice = (deviceId: string) => ({ path: { device_id: deviceId } });
const ofTarget = (id: string, deviceId: string) => ({ path: { id, device_id: deviceId } });

export const adminClient = {
  listDeployments: (query: DeploymentQuery, signal?: AbortSignal) =>
    unwrap(
      api.GET('/deployments', { params: { query: withoutNulls(query) }, ...withSignal(signal) }),
    ),

  /** @param key idempotency key: with it, sending the same body again creates no second deployment */
  createDeployment: (body: CreateDeploymentRequest, key: string) =>
    unwrap(api.POST('/deployments', { body, params: { header: { 'Idempotency-Key': key } } })),

  previewDeployment: (body: CreateDeploymentRequest, signal?: AbortSignal) =>
    unwrap(api.POST('/deployments/preview', { body, ...withSignal(signal) })),

  getDraftImpact: (body: CreateDeploymentRequest, signal?: AbortSignal) =>
    unwrap(api.POST('/deployments/impact', { body, ...withSignal(signal) })),

  getImpact: (id: string, signal?: AbortSignal) =>
    unwrap(
      api.GET('/deployments/{id}/impact', { params: ofDeployment(id), ...withSignal(signal) }),
    ),

  getDeployment: (id: string, signal?: AbortSignal) =>
    unwrap(api.GET('/deployments/{id}', { params: ofDeployment(id), ...withSignal(signal) })),

  /** Actions whose request has no fields. */
  act: (id: string, action: SimpleAction) =>
    unwrap(api.POST(`/deployments/{id}/${action}`, { params: ofDeployment(id), body: {} })),

  expand: (id: string, percentage: number) =>
    unwrap(
      api.POST('/deployments/{id}/expand', { params: ofDeployment(id), body: { percentage } }),
    ),

  /** Without `deviceIds`, all failed targets are retried. */
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
        params: { ...ofDeployment(id), query: withoutNulls(query) },
        ...withSignal(signal),
      }),
    ),

  getLogs: (id: string, deviceId: string, signal?: AbortSignal) =>
    unwrap(
      api.GET('/deployments/{id}/devices/{device_id}/logs', {
        params: ofTarget(id, deviceId),
        ...withSignal(signal),
      }),
    ),

  listEvents: (id: string, cursor?: string | null, signal?: AbortSignal) =>
    unwrap(
      api.GET('/deployments/{id}/events', {
        params: { ...ofDeployment(id), query: withoutNulls({ cursor }) },
        ...withSignal(signal),
      }),
    ),

  listDevices: (query: QueryOf<'listDevices'>, signal?: AbortSignal) =>
    unwrap(api.GET('/devices', { params: { query: withoutNulls(query) }, ...withSignal(signal) })),

  getDevice: (deviceId: string, signal?: AbortSignal) =>
    unwrap(api.GET('/devices/{device_id}', { params: ofDevice(deviceId), ...withSignal(signal) })),

  getDeviceHistory: (deviceId: string, query: QueryOf<'getDeviceHistory'>, signal?: AbortSignal) =>
    unwrap(
      api.GET('/devices/{device_id}/history', {
        params: { ...ofDevice(deviceId), query: withoutNulls(query) },
        ...withSignal(signal),
      }),
    ),

  getMetrics: (deploymentId?: string, signal?: AbortSignal) =>
    unwrap(
      api.GET('/metrics', {
        params: { query: withoutNulls({ deployment_id: deploymentId }) },
        ...withSignal(signal),
      }),
    ),
};

/** Removes `null` from the type of a query; the client leaves such values out when it serializes it. */
function withoutNulls<Query extends object>(
  query: Query,
): { [Key in keyof Query]: Exclude<Query[Key], null> } {
  return query as { [Key in keyof Query]: Exclude<Query[Key], null> };
}

function withSignal(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}
