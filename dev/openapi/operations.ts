/**
 * What each route takes and answers. A test compares the list with the routes that are mounted;
 * others hold every answer to it, and every request that it allows to what the server really takes.
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
import { fleetQuerySchema } from '../../backend/fleet/fleet.schema.ts';
import { streamQuerySchema } from '../../backend/live-updates/stream.schema.ts';
import { metricsQuerySchema } from '../../backend/metrics/metrics.schema.ts';

export type Area = 'admin' | 'device';

export interface Operation {
  /** Name of the function that a generated client offers. */
  id: string;
  summary: string;
  query?: Joi.ObjectSchema;
  /** Headers that mean something to it, with what. */
  headers?: Record<string, string>;
  body?: Joi.ObjectSchema;
  /** A body that is taken. */
  example?: object;
  /** Default 200. */
  status?: 200 | 201 | 202 | 204;
  /**
   * A type of `backend/contract/`; `events`: server-sent events, each a `StreamEvent`; `document`: the
   * OpenAPI document itself; `nothing`: no body.
   */
  answer: string;
  /** Beside those of every route of the area. */
  problems?: readonly ProblemCode[];
}

/** What any route of an area may answer instead. */
export const COMMON_PROBLEMS: Record<Area, readonly ProblemCode[]> = {
  admin: [
    'invalid_request',
    'unauthenticated',
    'forbidden',
    'payload_too_large',
    'unsupported_media_type',
    'internal_error',
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
  answer: 'DeploymentDetail',
  problems: ['not_found', 'invalid_state', ...problems],
});

/** By area, then by method and path as Express has them. Paths are below the area's. */
export const OPERATIONS: Record<Area, Record<string, Operation>> = {
  admin: {
    'get /deployments': {
      id: 'listDeployments',
      summary: 'Deployments of the organization, newest first',
      query: listQuerySchema,
      answer: 'DeploymentList',
    },
    'post /deployments': {
      id: 'createDeployment',
      summary: 'Creates a deployment: all of it or nothing',
      body: createDeploymentSchema(false),
      example: NEW_DEPLOYMENT,
      headers: {
        'Idempotency-Key':
          'Makes it safe to send again: for 24 hours the same key and body give the first answer',
      },
      status: 201,
      answer: 'CreatedDeployment',
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
      summary: 'Who would get the update and in which batches; creates nothing',
      body: previewDeploymentSchema(false),
      example: NEW_DEPLOYMENT,
      answer: 'DeploymentPreview',
      problems: ['too_many_batches'],
    },
    'post /deployments/impact': {
      id: 'getDraftImpact',
      summary: 'What a deployment would do to the fleet; creates nothing',
      body: previewDeploymentSchema(false),
      example: NEW_DEPLOYMENT,
      answer: 'DeploymentImpact',
      problems: [],
    },
    'get /deployments/:id/impact': {
      id: 'getImpact',
      summary: 'What starting or going on with the deployment would do to the fleet as it is now',
      answer: 'DeploymentImpact',
      problems: ['not_found'],
    },
    'get /deployments/:id': {
      id: 'getDeployment',
      summary: 'A deployment with its progress, batches, policy and first 100 devices',
      answer: 'DeploymentDetail',
      problems: ['not_found'],
    },
    'get /deployments/:id/devices': {
      id: 'listTargets',
      summary: 'A page of the devices of a deployment',
      query: targetQuerySchema,
      answer: 'TargetPage',
      problems: ['not_found'],
    },
    'post /deployments/:id/start': act('startDeployment', 'Starts a pending deployment', [
      'queue_unavailable',
    ]),
    'post /deployments/:id/pause': act(
      'pauseDeployment',
      'Offers nothing new; devices at work finish',
      [],
    ),
    'post /deployments/:id/resume': act(
      'resumeDeployment',
      'Goes on where the deployment was paused, and accepts the failures so far',
      ['queue_unavailable'],
    ),
    'post /deployments/:id/cancel': act(
      'cancelDeployment',
      'Skips pending devices, stops those at work where that is still safe',
      [],
    ),
    'post /deployments/:id/expand': {
      id: 'expandDeployment',
      summary: 'Releases more of a canary, up to a share of all its devices',
      body: expandSchema,
      example: { percentage: 100 },
      answer: 'DeploymentDetail',
      problems: ['not_found', 'invalid_state', 'percentage_too_low', 'queue_unavailable'],
    },
    'post /deployments/:id/retry': {
      id: 'retryDevices',
      summary: 'A new attempt for devices that failed or went back by themselves',
      body: retrySchema,
      answer: 'RetryResponse',
      problems: ['not_found', 'invalid_state', 'queue_unavailable'],
    },
    'post /deployments/:id/devices/:device_id/rollback': {
      id: 'rollBackDevice',
      summary: 'Asks a device to go back to an earlier version, at its next poll',
      body: rollbackSchema,
      example: { previous_version: 'v2.0.0' },
      status: 202,
      answer: 'RollbackAccepted',
      problems: [
        'not_found',
        'invalid_state',
        'newer_version_installed',
        'previous_version_unknown',
      ],
    },
    'delete /deployments/:id/devices/:device_id/rollback': {
      id: 'withdrawRollback',
      summary: 'Takes back what asked a device to go back, as long as it has not answered',
      status: 204,
      answer: 'nothing',
      problems: ['not_found', 'invalid_state'],
    },
    'get /deployments/:id/devices/:device_id/logs': {
      id: 'getInstallLogs',
      summary: 'The installation log of each attempt',
      answer: 'InstallLogs',
      problems: ['not_found'],
    },
    'get /deployments/:id/events': {
      id: 'listEvents',
      summary: 'The timeline of a deployment, newest first',
      query: eventQuerySchema,
      answer: 'EventPage',
      problems: ['not_found'],
    },
    'get /deployments/:id/stream': {
      id: 'streamDeployment',
      summary: 'Changes of a deployment as they happen',
      answer: 'events',
      problems: ['not_found'],
    },
    'get /stream': {
      id: 'streamDeployments',
      summary: 'Changes of all deployments as they happen; of the detailed ones, each device, too',
      query: streamQuerySchema,
      answer: 'events',
    },
    'get /devices': {
      id: 'listDevices',
      summary: 'Devices to pick from, and the types and versions there are',
      query: fleetQuerySchema,
      answer: 'DevicePage',
    },
    'get /metrics': {
      id: 'getMetrics',
      summary: 'Figures of the organization, or of one deployment',
      query: metricsQuerySchema,
      answer: 'OtaMetrics',
      problems: ['not_found'],
    },
    'get /openapi.json': {
      id: 'getOpenApi',
      summary: 'This document',
      answer: 'document',
    },
  },
  device: {
    'get /check-update': {
      id: 'checkUpdate',
      summary: 'What the device is to do now, and when to ask again',
      query: checkUpdateQuerySchema,
      answer: 'CheckUpdateResponse',
    },
    'post /deployments/:id/status': {
      id: 'reportStatus',
      summary: 'How far the device is; acknowledged once it is stored, and may be repeated',
      query: deviceQuerySchema,
      body: statusReportSchema,
      example: { status: 'downloading', attempt: 1, progress: 40 },
      answer: 'StatusResponse',
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
      summary: 'A piece of the installation log',
      query: deviceQuerySchema,
      body: logUploadSchema,
      example: { attempt: 1, chunk: 'Installing v2.1.0\n', offset: 0 },
      status: 202,
      answer: 'LogAccepted',
      problems: ['not_found', 'payload_too_large', 'log_limit_reached', 'unsupported_media_type'],
    },
  },
};
