/**
 * The request and response of each route. Tests check that this list contains exactly the mounted routes, that
 * all responses conform to it, and that the server accepts the same requests.
 */
import type Joi from 'joi';

import type { CreateDeploymentRequest } from '../../backend/contract/admin-api.ts';
import type { ProblemCode } from '../../backend/contract/problem.ts';
import {
  createDeploymentSchema,
  previewDeploymentSchema,
} from '../../backend/deployments/creation/creation.schema.ts';
import {
  emptySchema,
  expandSchema,
  retrySchema,
  rollbackSchema,
} from '../../backend/deployments/control/control.schema.ts';
import {
  eventQuerySchema,
  listQuerySchema,
  targetQuerySchema,
} from '../../backend/deployments/reading/reading.schema.ts';
import {
  checkUpdateQuerySchema,
  deviceQuerySchema,
  logUploadSchema,
  statusReportSchema,
} from '../../backend/devices/device.schema.ts';
import { explanationQuerySchema } from '../../backend/fleet/explanation.schema.ts';
import { fleetQuerySchema, historyQuerySchema } from '../../backend/fleet/fleet.schema.ts';
import { streamQuerySchema } from '../../backend/live-updates/stream.schema.ts';
import { metricsQuerySchema } from '../../backend/metrics/metrics.schema.ts';

export type Area = 'admin' | 'device';

export interface Operation {
  /** Name of the function in a generated client. */
  id: string;
  summary: string;
  query?: Joi.ObjectSchema;
  /** Optional request headers, with a description. */
  headers?: Record<string, string>;
  body?: Joi.ObjectSchema;
  /** A valid body. */
  example?: object;
  /** Default 200. */
  status?: 200 | 201 | 202 | 204;
  /**
   * Name of a type in `backend/contract/`; or `events`: server-sent events of the type `StreamEvent`;
   * `document`: this OpenAPI document; `nothing`: no body.
   */
  response: string;
  /** Error codes in addition to {@link COMMON_PROBLEMS}. */
  problems?: readonly ProblemCode[];
}

/** Error codes of every route of an area. */
export const COMMON_PROBLEMS: Record<Area, readonly ProblemCode[]> = {
  admin: [
    'invalid_request',
    'unauthenticated',
    'forbidden',
    'payload_too_large',
    'unsupported_media_type',
    'internal_error',
    'authentication_unavailable',
    'database_unavailable',
    'not_ready',
  ],
  device: [
    'invalid_request',
    'unauthenticated',
    'forbidden',
    'too_many_requests',
    'internal_error',
    'database_unavailable',
    'not_ready',
    'overloaded',
  ],
};

const NEW_DEPLOYMENT = {
  deployment_name: 'Firmware Update v2.1.0',
  target_version: 'v2.1.0',
  rollout_strategy: 'canary',
  rollout_percentage: 20,
  device_filters: {
    device_type: 'raspberry_pi',
    current_version: 'v2.0.0',
    version_operator: '!=',
    status: 'online',
  },
  update_package_url: 'https://cdn.example.com/updates/v2.1.0.tar.gz',
  checksum: 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  release_notes: 'Bug fixes and performance improvements',
} satisfies CreateDeploymentRequest;

const act = (id: string, summary: string, problems: readonly ProblemCode[]): Operation => ({
  id,
  summary,
  body: emptySchema,
  response: 'DeploymentDetail',
  problems: ['not_found', 'invalid_state', ...problems],
});

/** By area, then by method and path as in Express, relative to the area. */
export const OPERATIONS: Record<Area, Record<string, Operation>> = {
  admin: {
    'get /deployments': {
      id: 'listDeployments',
      summary: 'Deployments of the organization, newest first',
      query: listQuerySchema,
      response: 'DeploymentList',
    },
    'post /deployments': {
      id: 'createDeployment',
      summary: 'Creates a deployment completely or not at all',
      body: createDeploymentSchema(false),
      example: NEW_DEPLOYMENT,
      headers: {
        'Idempotency-Key':
          'Makes retries safe: for 24 hours, the same request with the same key gets the same response',
      },
      status: 201,
      response: 'CreatedDeployment',
      problems: [
        'no_matching_devices',
        'too_many_batches',
        'signature_refused',
        'idempotency_key_reused',
        'queue_unavailable',
      ],
    },
    'post /deployments/preview': {
      id: 'previewDeployment',
      summary: 'The matching devices and the batches of a new deployment; creates nothing',
      body: previewDeploymentSchema(false),
      example: NEW_DEPLOYMENT,
      response: 'DeploymentPreview',
      problems: ['too_many_batches'],
    },
    'post /deployments/impact': {
      id: 'getDraftImpact',
      summary: 'How a new deployment would change the fleet; creates nothing',
      body: previewDeploymentSchema(false),
      example: NEW_DEPLOYMENT,
      response: 'DeploymentImpact',
      problems: [],
    },
    'get /deployments/:id/impact': {
      id: 'getImpact',
      summary: 'How starting or resuming the deployment would change the fleet now',
      response: 'DeploymentImpact',
      problems: ['not_found'],
    },
    'get /deployments/:id': {
      id: 'getDeployment',
      summary: 'A deployment with its progress, batches, policy and first 100 devices',
      response: 'DeploymentDetail',
      problems: ['not_found'],
    },
    'get /deployments/:id/devices': {
      id: 'listTargets',
      summary: 'A page of targets of a deployment',
      query: targetQuerySchema,
      response: 'TargetPage',
      problems: ['not_found'],
    },
    'post /deployments/:id/start': act('startDeployment', 'Starts a pending deployment', [
      'queue_unavailable',
    ]),
    'post /deployments/:id/pause': act(
      'pauseDeployment',
      'Stops offering the update; devices that are updating finish',
      [],
    ),
    'post /deployments/:id/resume': act(
      'resumeDeployment',
      'Resumes a paused deployment, and accepts the failures so far',
      ['queue_unavailable'],
    ),
    'post /deployments/:id/cancel': act(
      'cancelDeployment',
      'Skips pending targets, and stops updating devices where that is safe',
      [],
    ),
    'post /deployments/:id/expand': {
      id: 'expandDeployment',
      summary: 'Releases more of a canary, up to a share of all its targets',
      body: expandSchema,
      example: { percentage: 100 },
      response: 'DeploymentDetail',
      problems: ['not_found', 'invalid_state', 'percentage_too_low', 'queue_unavailable'],
    },
    'post /deployments/:id/retry': {
      id: 'retryDevices',
      summary: 'Starts a new attempt for targets that failed or rolled back by themselves',
      body: retrySchema,
      response: 'RetryResponse',
      problems: ['not_found', 'invalid_state', 'queue_unavailable'],
    },
    'post /deployments/:id/devices/:device_id/rollback': {
      id: 'rollBackDevice',
      summary: 'Requests the rollback of a device to an earlier version, at its next poll',
      body: rollbackSchema,
      example: { previous_version: 'v2.0.0' },
      status: 202,
      response: 'RollbackAccepted',
      problems: [
        'not_found',
        'invalid_state',
        'newer_version_installed',
        'previous_version_unknown',
      ],
    },
    'delete /deployments/:id/devices/:device_id/rollback': {
      id: 'cancelRollback',
      summary: 'Cancels a requested rollback, as long as the device has not answered it',
      status: 204,
      response: 'nothing',
      problems: ['not_found', 'invalid_state'],
    },
    'get /deployments/:id/devices/:device_id/logs': {
      id: 'getInstallLogs',
      summary: 'The installation log of each attempt',
      response: 'InstallLogs',
      problems: ['not_found'],
    },
    'get /deployments/:id/events': {
      id: 'listEvents',
      summary: 'The timeline of a deployment, newest first',
      query: eventQuerySchema,
      response: 'EventPage',
      problems: ['not_found'],
    },
    'get /deployments/:id/stream': {
      id: 'streamDeployment',
      summary: 'Live changes of a deployment',
      response: 'events',
      problems: ['not_found'],
    },
    'get /stream': {
      id: 'streamDeployments',
      summary: 'Live changes of all deployments; for those in `detail`, also of their devices',
      query: streamQuerySchema,
      response: 'events',
    },
    'get /devices': {
      id: 'listDevices',
      summary: 'Devices to choose from, with the existing types and versions',
      query: fleetQuerySchema,
      response: 'DevicePage',
    },
    'get /devices/:device_id/explanation': {
      id: 'explainDevice',
      summary:
        'What a device waits for, in a deployment or by default in the one that it gets next',
      query: explanationQuerySchema,
      response: 'DeviceExplanation',
      problems: ['not_found'],
    },
    'get /devices/:device_id': {
      id: 'getDevice',
      summary: 'A device: what it is, what it runs, and what it works on or waits for',
      response: 'DeviceDetail',
      problems: ['not_found'],
    },
    'get /devices/:device_id/history': {
      id: 'getDeviceHistory',
      summary: 'Every update that the device ever had in the organization, newest deployment first',
      query: historyQuerySchema,
      response: 'DeviceHistory',
      problems: ['not_found'],
    },
    'get /metrics': {
      id: 'getMetrics',
      summary: 'Figures of the organization, or of one deployment',
      query: metricsQuerySchema,
      response: 'OtaMetrics',
      problems: ['not_found'],
    },
    'get /openapi.json': {
      id: 'getOpenApi',
      summary: 'This document',
      response: 'document',
    },
  },
  device: {
    'get /check-update': {
      id: 'checkUpdate',
      summary: 'The update or rollback to carry out now, and when to poll again',
      query: checkUpdateQuerySchema,
      response: 'CheckUpdateResponse',
    },
    'post /deployments/:id/status': {
      id: 'reportStatus',
      summary:
        'Reports the status of an update; acknowledged when it is stored, and safe to repeat',
      query: deviceQuerySchema,
      body: statusReportSchema,
      example: { status: 'downloading', attempt: 1, progress: 40 },
      response: 'StatusResponse',
      problems: [
        'not_found',
        'invalid_state',
        'stale_status',
        'stale_attempt',
        'payload_too_large',
        'unsupported_media_type',
      ],
    },
    'post /deployments/:id/logs': {
      id: 'uploadLog',
      summary: 'Uploads a piece of the installation log',
      query: deviceQuerySchema,
      body: logUploadSchema,
      example: { attempt: 1, chunk: 'Installing v2.1.0\n', offset: 0 },
      status: 202,
      response: 'LogAccepted',
      problems: ['not_found', 'payload_too_large', 'log_limit_reached', 'unsupported_media_type'],
    },
  },
};
