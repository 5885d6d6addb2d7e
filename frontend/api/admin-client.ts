/** The admin API as typed functions, one a route. Every one of them rejects with `ApiError`. */
import type {
  CreatedDeployment,
  CreateDeploymentRequest,
  DeploymentDetail,
  DeploymentList,
  DeploymentPreview,
  DevicePage,
  EventPage,
  InstallLogs,
  OtaMetrics,
  RetryResponse,
  RollbackAccepted,
  TargetPage,
} from '../../backend/contract/admin-api.ts';
import { request } from './http.ts';

export interface DeploymentQuery {
  status?: string;
  search?: string;
  page?: number;
  page_size?: number;
}

export interface TargetQuery {
  status?: string;
  batch?: number | null;
  search?: string;
  cursor?: string | null;
  limit?: number;
}

export interface DeviceQuery {
  search?: string;
  device_type?: string;
  status?: string;
  cursor?: string | null;
  limit?: number;
}

const deploymentPath = (id: string) => `/deployments/${encodeURIComponent(id)}`;
const targetPath = (id: string, deviceId: string) =>
  `${deploymentPath(id)}/devices/${encodeURIComponent(deviceId)}`;

export const adminClient = {
  listDeployments: (query: DeploymentQuery, signal?: AbortSignal) =>
    request<DeploymentList>('GET', '/deployments', { query: { ...query }, signal }),

  createDeployment: (body: CreateDeploymentRequest) =>
    request<CreatedDeployment>('POST', '/deployments', { body }),

  previewDeployment: (body: CreateDeploymentRequest, signal?: AbortSignal) =>
    request<DeploymentPreview>('POST', '/deployments/preview', { body, signal }),

  getDeployment: (id: string, signal?: AbortSignal) =>
    request<DeploymentDetail>('GET', deploymentPath(id), { signal }),

  /** start, pause, resume and cancel: the actions without anything to say. */
  act: (id: string, action: 'start' | 'pause' | 'resume' | 'cancel') =>
    request<DeploymentDetail>('POST', `${deploymentPath(id)}/${action}`),

  expand: (id: string, percentage: number) =>
    request<DeploymentDetail>('POST', `${deploymentPath(id)}/expand`, { body: { percentage } }),

  /** Without `deviceIds` all failed targets are tried again. */
  retry: (id: string, deviceIds?: string[]) =>
    request<RetryResponse>('POST', `${deploymentPath(id)}/retry`, {
      body: deviceIds ? { device_ids: deviceIds } : {},
    }),

  rollback: (id: string, deviceId: string, previousVersion?: string) =>
    request<RollbackAccepted>('POST', `${targetPath(id, deviceId)}/rollback`, {
      body: previousVersion ? { previous_version: previousVersion } : {},
    }),

  listTargets: (id: string, query: TargetQuery, signal?: AbortSignal) =>
    request<TargetPage>('GET', `${deploymentPath(id)}/devices`, { query: { ...query }, signal }),

  getLogs: (id: string, deviceId: string, signal?: AbortSignal) =>
    request<InstallLogs>('GET', `${targetPath(id, deviceId)}/logs`, { signal }),

  listEvents: (id: string, cursor?: string | null, signal?: AbortSignal) =>
    request<EventPage>('GET', `${deploymentPath(id)}/events`, { query: { cursor }, signal }),

  listDevices: (query: DeviceQuery, signal?: AbortSignal) =>
    request<DevicePage>('GET', '/devices', { query: { ...query }, signal }),

  getMetrics: (deploymentId?: string, signal?: AbortSignal) =>
    request<OtaMetrics>('GET', '/metrics', { query: { deployment_id: deploymentId }, signal }),
};
