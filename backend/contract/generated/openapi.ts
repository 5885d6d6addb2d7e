/** The API as types, for `openapi-fetch`. Made by `npm run openapi`; not to be edited. */
export interface paths {
  '/api/v1/admin/ota/deployments': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Deployments of the organization, newest first */
    get: operations['listDeployments'];
    put?: never;
    /** Creates a deployment: all of it or nothing */
    post: operations['createDeployment'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/deployments/preview': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Who would get the update and in which batches; creates nothing */
    post: operations['previewDeployment'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/deployments/impact': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** What a deployment would do to the fleet; creates nothing */
    post: operations['getDraftImpact'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/deployments/{id}/impact': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** What starting or going on with the deployment would do to the fleet as it is now */
    get: operations['getImpact'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/deployments/{id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** A deployment with its progress, batches, policy and first 100 devices */
    get: operations['getDeployment'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/deployments/{id}/devices': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** A page of the devices of a deployment */
    get: operations['listTargets'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/deployments/{id}/start': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Starts a pending deployment */
    post: operations['startDeployment'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/deployments/{id}/pause': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Offers nothing new; devices at work finish */
    post: operations['pauseDeployment'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/deployments/{id}/resume': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Goes on where the deployment was paused, and accepts the failures so far */
    post: operations['resumeDeployment'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/deployments/{id}/cancel': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Skips pending devices, stops those at work where that is still safe */
    post: operations['cancelDeployment'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/deployments/{id}/expand': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Releases more of a canary, up to a share of all its devices */
    post: operations['expandDeployment'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/deployments/{id}/retry': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** A new attempt for devices that failed or went back by themselves */
    post: operations['retryDevices'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/deployments/{id}/devices/{device_id}/rollback': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Asks a device to go back to an earlier version, at its next poll */
    post: operations['rollBackDevice'];
    /** Takes back what asked a device to go back, as long as it has not answered */
    delete: operations['withdrawRollback'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/deployments/{id}/devices/{device_id}/logs': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** The installation log of each attempt */
    get: operations['getInstallLogs'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/deployments/{id}/events': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** The timeline of a deployment, newest first */
    get: operations['listEvents'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/deployments/{id}/stream': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Changes of a deployment as they happen */
    get: operations['streamDeployment'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/stream': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Changes of all deployments as they happen; of the detailed ones, each device, too */
    get: operations['streamDeployments'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/devices': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Devices to pick from, and the types and versions there are */
    get: operations['listDevices'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/metrics': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Figures of the organization, or of one deployment */
    get: operations['getMetrics'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/admin/ota/openapi.json': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** This document */
    get: operations['getOpenApi'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/ota/check-update': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** What the device is to do now, and when to ask again */
    get: operations['checkUpdate'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/ota/deployments/{id}/status': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** How far the device is; acknowledged once it is stored, and may be repeated */
    post: operations['reportStatus'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/api/v1/ota/deployments/{id}/logs': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** A piece of the installation log */
    post: operations['uploadLog'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
}
export type webhooks = Record<string, never>;
export interface components {
  schemas: {
    BatchPlanEntry: {
      number: components['schemas']['Ordinal'];
      size: components['schemas']['Count'];
      /**
       * @description When the batch is released: at the start, automatically after the previous batch, or by `expand`.
       * @enum {string}
       */
      release: 'start' | 'automatic' | 'expand';
    };
    /** @enum {string} */
    BatchState: 'planned' | 'releasing' | 'running' | 'ended';
    BatchView: {
      number: components['schemas']['Ordinal'];
      size: components['schemas']['Count'];
      state: components['schemas']['BatchState'];
      released_at: components['schemas']['Timestamp'] | null;
      status_breakdown: components['schemas']['StatusBreakdown'];
    };
    /** @description `GET /check-update?device_id=&current_version=` */
    CheckUpdateResponse: components['schemas']['NoUpdate'] | components['schemas']['UpdateOffer'];
    Count: number;
    /** @description When devices were counted. Up to 5,000 devices are counted for each response, more in the background. `null`: the first count has not finished, so the lists are empty; repeat the request in a moment. */
    CountedAt: components['schemas']['Timestamp'] | null;
    /** @description `POST /deployments` → 201 */
    CreatedDeployment: {
      deployment_id: components['schemas']['Uuid'];
      deployment_name: string;
      target_version: string;
      rollout_strategy: components['schemas']['RolloutStrategy'];
      rollout_percentage: components['schemas']['Percent'] | null;
      batch_size: components['schemas']['Ordinal'] | null;
      status: components['schemas']['DeploymentStatus'];
      paused_reason: components['schemas']['PausedReason'] | null;
      total_devices: components['schemas']['Count'];
      completed_devices: components['schemas']['Count'];
      failed_devices: components['schemas']['Count'];
      rolled_back_devices: components['schemas']['Count'];
      progress_percentage: components['schemas']['Percent'];
      allowed_actions: components['schemas']['DeploymentAction'][];
      scheduled_at: components['schemas']['Timestamp'] | null;
      started_at: components['schemas']['Timestamp'] | null;
      completed_at: components['schemas']['Timestamp'] | null;
      created_at: components['schemas']['Timestamp'];
      created_by: string | null;
      target_devices: components['schemas']['Count'];
    };
    /** @enum {string} */
    DeploymentAction: 'start' | 'pause' | 'resume' | 'cancel' | 'expand' | 'retry';
    /** @description `GET /deployments/:id`, and the response to every action on a deployment. */
    DeploymentDetail: {
      deployment_id: components['schemas']['Uuid'];
      deployment_name: string;
      target_version: string;
      rollout_strategy: components['schemas']['RolloutStrategy'];
      rollout_percentage: components['schemas']['Percent'] | null;
      batch_size: components['schemas']['Ordinal'] | null;
      status: components['schemas']['DeploymentStatus'];
      paused_reason: components['schemas']['PausedReason'] | null;
      total_devices: components['schemas']['Count'];
      completed_devices: components['schemas']['Count'];
      failed_devices: components['schemas']['Count'];
      rolled_back_devices: components['schemas']['Count'];
      progress_percentage: components['schemas']['Percent'];
      allowed_actions: components['schemas']['DeploymentAction'][];
      scheduled_at: components['schemas']['Timestamp'] | null;
      started_at: components['schemas']['Timestamp'] | null;
      completed_at: components['schemas']['Timestamp'] | null;
      created_at: components['schemas']['Timestamp'];
      created_by: string | null;
      metadata: {
        update_package_url: string;
        checksum: string;
        release_notes: string;
        device_filters: components['schemas']['DeviceFilters'];
      };
      /** @description Whether devices that already ran the target version at the creation were left out. */
      skip_up_to_date: boolean;
      policy: components['schemas']['RolloutPolicy'];
      phase: components['schemas']['DeploymentPhase'];
      progress: components['schemas']['DeploymentProgress'];
      status_breakdown: components['schemas']['StatusBreakdown'];
      batches: components['schemas']['BatchView'][];
      released_devices: components['schemas']['Count'];
      /** @description Devices that `retry` would retry: those that failed, or rolled back without a request by an admin. */
      retryable_devices: components['schemas']['Count'];
      /** @description The first 100 targets; `GET /deployments/:id/devices` has all of them. */
      devices: components['schemas']['TargetView'][];
    };
    DeploymentEvent: {
      id: string;
      at: components['schemas']['Timestamp'];
      type: components['schemas']['EventType'];
      actor: {
        /** @enum {string} */
        type: 'admin' | 'device' | 'system';
        id: string | null;
        name: string | null;
        /** @description Admins only: the IP address of the request, as the host determined it. */
        address: string | null;
      };
      device_id: components['schemas']['Uuid'] | null;
      /** @description Details of the event, e.g. `{batch: 2, devices: 36}` or `{reason: "failure_threshold"}`. */
      data: {
        [key: string]: unknown;
      };
    };
    /** @description `POST /deployments/impact` (body as for a preview) and `GET /deployments/:id/impact`: what the rollout would do to the fleet in its current state. */
    DeploymentImpact: {
      /** @description Devices that would get the update; for an existing deployment, those that have not finished. */
      devices: components['schemas']['Count'];
      /** @description Registered devices of the organization. */
      fleet_devices: components['schemas']['Count'];
      changes: components['schemas']['VersionChanges'];
      by_type: {
        device_type: string | null;
        count: components['schemas']['Count'];
      }[];
      /** @description The ten deployments with the most common devices. */
      overlapping: components['schemas']['OverlappingDeployment'][];
      /** @description Why an operator should confirm the number of devices: some devices would be downgraded, one package goes to several device types, or more than a fifth of the fleet gets the update at once (`immediate`, or `manual` by filters). */
      confirm_because: components['schemas']['ImpactReason'][];
    };
    /** @description `GET /deployments` */
    DeploymentList: {
      deployments: components['schemas']['DeploymentSummary'][];
      pagination: components['schemas']['Pagination'];
    };
    /**
     * @description The phase of a deployment: `not_started`, `rolling_out`, `canary_running` (a canary whose released devices have not all finished), `awaiting_expansion` (all have finished; the others wait for `expand`), or `ended`.
     * @enum {string}
     */
    DeploymentPhase:
      'not_started' | 'rolling_out' | 'canary_running' | 'awaiting_expansion' | 'ended';
    DeploymentPreview: {
      /** @description Devices that would get the update. */
      matching_devices: components['schemas']['Count'];
      /** @description Devices that match the filters and already run the target version. With `skip_up_to_date` they are left out, otherwise they are included in `matching_devices`. `null`: no target version was given. */
      up_to_date: components['schemas']['Count'] | null;
      by_type: {
        device_type: string | null;
        count: components['schemas']['Count'];
      }[];
      by_version: {
        version: string | null;
        count: components['schemas']['Count'];
      }[];
      /** @description Devices that are left out because their version cannot be ordered. */
      not_comparable: {
        version: string | null;
        count: components['schemas']['Count'];
      }[];
      batches: components['schemas']['BatchPlanEntry'][];
    };
    DeploymentProgress: {
      total_devices: components['schemas']['Count'];
      completed: components['schemas']['Count'];
      failed: components['schemas']['Count'];
      /** @description downloading + installing + verifying */
      in_progress: components['schemas']['Count'];
      pending: components['schemas']['Count'];
      skipped: components['schemas']['Count'];
      rolled_back: components['schemas']['Count'];
      /** @description completed ÷ total in percent, one decimal. */
      percentage: components['schemas']['Percent'];
    };
    /** @enum {string} */
    DeploymentStatus: 'pending' | 'in_progress' | 'paused' | 'completed' | 'failed' | 'cancelled';
    /** @description A deployment in a list; also included in every response about a single deployment. */
    DeploymentSummary: {
      deployment_id: components['schemas']['Uuid'];
      deployment_name: string;
      target_version: string;
      rollout_strategy: components['schemas']['RolloutStrategy'];
      rollout_percentage: components['schemas']['Percent'] | null;
      batch_size: components['schemas']['Ordinal'] | null;
      status: components['schemas']['DeploymentStatus'];
      paused_reason: components['schemas']['PausedReason'] | null;
      total_devices: components['schemas']['Count'];
      completed_devices: components['schemas']['Count'];
      failed_devices: components['schemas']['Count'];
      rolled_back_devices: components['schemas']['Count'];
      progress_percentage: components['schemas']['Percent'];
      allowed_actions: components['schemas']['DeploymentAction'][];
      scheduled_at: components['schemas']['Timestamp'] | null;
      started_at: components['schemas']['Timestamp'] | null;
      completed_at: components['schemas']['Timestamp'] | null;
      created_at: components['schemas']['Timestamp'];
      created_by: string | null;
    };
    /** @enum {string} */
    DeviceConnectionFilter: '' | 'online' | 'offline';
    DeviceFilters: {
      device_type?: string;
      current_version?: string;
      /** @description Default `!=`; only with `current_version`. */
      version_operator?: components['schemas']['VersionOperator'];
      status?: components['schemas']['DeviceConnectionFilter'];
      device_ids?: components['schemas']['Uuid'][];
    };
    /** @description `GET /devices?search&device_type&status&cursor&limit` */
    DevicePage: {
      devices: components['schemas']['DeviceView'][];
      next_cursor: string | null;
      facets: {
        types: {
          device_type: string | null;
          count: components['schemas']['Count'];
        }[];
        versions: {
          version: string | null;
          count: components['schemas']['Count'];
        }[];
      };
      /** @description When the facets were counted. */
      facets_as_of: components['schemas']['CountedAt'];
    };
    DeviceView: {
      device_id: components['schemas']['Uuid'];
      device_name: string;
      device_type: string | null;
      hardware_id: string | null;
      status: string | null;
      current_version: string | null;
      last_seen: components['schemas']['Timestamp'] | null;
    };
    /** @description The result of an attempt that was followed by a retry. */
    EarlierAttempt: {
      attempt: components['schemas']['Ordinal'];
      status: components['schemas']['TargetStatus'];
      error_message: string | null;
      started_at: components['schemas']['Timestamp'] | null;
      completed_at: components['schemas']['Timestamp'] | null;
    };
    /** @description `GET /deployments/:id/events?cursor`, newest first. */
    EventPage: {
      events: components['schemas']['DeploymentEvent'][];
      next_cursor: string | null;
    };
    /** @enum {string} */
    EventType:
      | 'created'
      | 'started'
      | 'paused'
      | 'resumed'
      | 'cancelled'
      | 'expanded'
      | 'retried'
      | 'batch_released'
      | 'completed'
      | 'failed'
      | 'device_failed'
      | 'device_rolled_back'
      | 'device_timed_out'
      | 'devices_skipped'
      | 'rollback_requested'
      | 'rollback_failed'
      | 'rollback_withdrawn'
      | 'version_changed_outside';
    /** @description An error in the input. `path` is dotted, e.g. `device_filters.version_operator`. */
    FieldError: {
      path: string;
      message: string;
    };
    /** @enum {string} */
    ImpactReason: 'downgrade' | 'several_types' | 'large_share';
    /** @description `GET /deployments/:id/devices/:device_id/logs` */
    InstallLogs: {
      attempts: {
        attempt: components['schemas']['Ordinal'];
        log: string;
        bytes: components['schemas']['Count'];
        updated_at: components['schemas']['Timestamp'];
      }[];
    };
    /** @description Response to `POST /deployments/:id/logs`. */
    LogAccepted: {
      /** @constant */
      status: 'accepted';
    };
    NoUpdate: {
      /**
       * @description ●
       * @constant
       */
      update_available: false;
      /** @description A rollback that an admin requested; it comes before any update. */
      rollback?: components['schemas']['RollbackOrder'];
      poll_after_seconds: components['schemas']['Count'];
    };
    /** @description Starts at 1. */
    Ordinal: number;
    /** @description `GET /metrics?deployment_id`. A figure is `null` if there is nothing to divide by. */
    OtaMetrics: {
      /** @description Percent, one decimal. */
      success_rate: components['schemas']['Percent'] | null;
      rollback_rate: components['schemas']['Percent'] | null;
      compliance: components['schemas']['Percent'] | null;
      average_duration_seconds: number | null;
      total_deployments: components['schemas']['Count'];
      active_deployments: components['schemas']['Count'];
      total_targets: components['schemas']['Count'];
      /** @description Versions in the fleet, or on the deployment's devices, by device type. */
      versions: {
        device_type: string | null;
        version: string | null;
        count: components['schemas']['Count'];
      }[];
      /** @description Finished targets over time, oldest first, without empty buckets. For a whole organization: the last 90 days. */
      ended_over_time: {
        at: components['schemas']['Timestamp'];
        completed: components['schemas']['Count'];
        failed: components['schemas']['Count'];
        rolled_back: components['schemas']['Count'];
      }[];
      /** @description When `versions` and `compliance` were counted; the other figures are current. */
      as_of: components['schemas']['CountedAt'];
    };
    /** @description A deployment in progress that has some of the same devices. */
    OverlappingDeployment: {
      deployment_id: components['schemas']['Uuid'];
      deployment_name: string;
      target_version: string;
      status: components['schemas']['DeploymentStatus'];
      /** @description Devices of both deployments that have not finished in this one. */
      devices: components['schemas']['Count'];
    };
    Pagination: {
      page: components['schemas']['Ordinal'];
      page_size: components['schemas']['Ordinal'];
      total_count: components['schemas']['Count'];
      total_pages: components['schemas']['Count'];
    };
    /** @enum {string} */
    PausedReason: 'admin' | 'failure_threshold';
    Percent: number;
    /** @description The `application/problem+json` body of every error response (RFC 9457). */
    Problem: {
      type: string;
      title: string;
      status: number;
      detail: string;
      code: components['schemas']['ProblemCode'];
      /** @description Every error in the input; only with code `invalid_request`. */
      errors?: components['schemas']['FieldError'][];
      /** @description Only with a 5xx status: the id of the request in the server's log. */
      request_id?: string;
      /** @description With code `invalid_state`: the current state and the actions that it allows. */
      current_status?: string;
      allowed_actions?: string[];
    };
    /** @enum {string} */
    ProblemCode:
      | 'invalid_request'
      | 'unauthenticated'
      | 'forbidden'
      | 'not_found'
      | 'method_not_allowed'
      | 'invalid_state'
      | 'stale_status'
      | 'stale_attempt'
      | 'newer_version_installed'
      | 'payload_too_large'
      | 'log_limit_reached'
      | 'unsupported_media_type'
      | 'no_matching_devices'
      | 'too_many_batches'
      | 'percentage_too_low'
      | 'idempotency_key_reused'
      | 'signature_refused'
      | 'previous_version_unknown'
      | 'too_many_requests'
      | 'internal_error'
      | 'database_unavailable'
      | 'queue_unavailable'
      | 'not_ready'
      | 'overloaded';
    RetryResponse: {
      retried_devices: components['schemas']['Count'];
      deployment: components['schemas']['DeploymentDetail'];
    };
    RollbackAccepted: {
      /** @constant */
      status: 'accepted';
      message: string;
    };
    RollbackOrder: {
      deployment_id: components['schemas']['Uuid'];
      /** @description The version to roll back to. */
      version: string;
      attempt: components['schemas']['Ordinal'];
    };
    RolloutPolicy: {
      /** @description Percent of the finished targets that may fail; `null` turns the failure threshold off. Default 25. */
      failure_threshold_percent: components['schemas']['Percent'] | null;
      /** @description The failure threshold applies once this many targets have finished. Default 5. */
      failure_min_devices: components['schemas']['Ordinal'];
      /** @description An updating target fails after this long without a report. Default 60. */
      device_timeout_minutes: components['schemas']['Ordinal'];
      /** @description A released target is skipped if its device does not poll for this long. `null`: no limit. Default 24 for rolling, else `null`. */
      pickup_timeout_hours: number | null;
    };
    /** @enum {string} */
    RolloutStrategy: 'manual' | 'immediate' | 'canary' | 'rolling';
    StatusBreakdown: {
      pending: components['schemas']['Count'];
      downloading: components['schemas']['Count'];
      installing: components['schemas']['Count'];
      verifying: components['schemas']['Count'];
      completed: components['schemas']['Count'];
      failed: components['schemas']['Count'];
      skipped: components['schemas']['Count'];
      rolled_back: components['schemas']['Count'];
    };
    StatusResponse: {
      /**
       * @description ●
       * @constant
       */
      status: 'success';
      /** @description ● */
      message: string;
      /**
       * @description `abort`: the agent stops if `install.sh` has not started, and reports `skipped`.
       * @enum {string}
       */
      directive: 'continue' | 'abort';
    };
    /** @description Server-sent events of `GET /stream` and `GET /deployments/:id/stream`. The SSE `event` field is `type`, and `data` is the JSON of the other fields. `reset` means that events may have been missed: the client should fetch the deployment again, or everything it shows (`null`). A `heartbeat` is sent every 15 seconds; after twice that time without any event, a client should assume that the connection is broken. */
    StreamEvent:
      | {
          deployment_id: components['schemas']['Uuid'];
          deployment_name: string;
          target_version: string;
          rollout_strategy: components['schemas']['RolloutStrategy'];
          rollout_percentage: components['schemas']['Percent'] | null;
          batch_size: components['schemas']['Ordinal'] | null;
          status: components['schemas']['DeploymentStatus'];
          paused_reason: components['schemas']['PausedReason'] | null;
          total_devices: components['schemas']['Count'];
          completed_devices: components['schemas']['Count'];
          failed_devices: components['schemas']['Count'];
          rolled_back_devices: components['schemas']['Count'];
          progress_percentage: components['schemas']['Percent'];
          allowed_actions: components['schemas']['DeploymentAction'][];
          scheduled_at: components['schemas']['Timestamp'] | null;
          started_at: components['schemas']['Timestamp'] | null;
          completed_at: components['schemas']['Timestamp'] | null;
          created_at: components['schemas']['Timestamp'];
          created_by: string | null;
          /** @constant */
          type: 'deployment';
        }
      | {
          total_devices: components['schemas']['Count'];
          completed: components['schemas']['Count'];
          failed: components['schemas']['Count'];
          /** @description downloading + installing + verifying */
          in_progress: components['schemas']['Count'];
          pending: components['schemas']['Count'];
          skipped: components['schemas']['Count'];
          rolled_back: components['schemas']['Count'];
          /** @description completed ÷ total in percent, one decimal. */
          percentage: components['schemas']['Percent'];
          /** @constant */
          type: 'progress';
          deployment_id: components['schemas']['Uuid'];
          status_breakdown: components['schemas']['StatusBreakdown'];
        }
      | {
          /** @constant */
          type: 'device';
          deployment_id: components['schemas']['Uuid'];
          device: components['schemas']['TargetView'];
        }
      | {
          /** @constant */
          type: 'reset';
          deployment_id: components['schemas']['Uuid'] | null;
        }
      | {
          /** @constant */
          type: 'heartbeat';
          at: components['schemas']['Timestamp'];
        };
    /** @description `GET /deployments/:id/devices?status&batch&search&cursor&limit` */
    TargetPage: {
      devices: components['schemas']['TargetView'][];
      next_cursor: string | null;
    };
    /** @enum {string} */
    TargetStatus:
      | 'pending'
      | 'downloading'
      | 'installing'
      | 'verifying'
      | 'completed'
      | 'failed'
      | 'skipped'
      | 'rolled_back';
    TargetView: {
      /** @description The UUID of the device in Ops-Center. */
      device_id: components['schemas']['Uuid'];
      device_name: string | null;
      device_type: string | null;
      /** @description The version that the device runs now, as recorded in Ops-Center. */
      current_version: string | null;
      /** @description The version before this deployment. */
      previous_version: string | null;
      batch: components['schemas']['Ordinal'];
      released: boolean;
      attempt: components['schemas']['Ordinal'];
      status: components['schemas']['TargetStatus'];
      /** @description Percent of the current step, if the agent reports it. */
      progress: components['schemas']['Percent'] | null;
      started_at: components['schemas']['Timestamp'] | null;
      completed_at: components['schemas']['Timestamp'] | null;
      last_report_at: components['schemas']['Timestamp'] | null;
      /** @description From the start of the attempt until it finished. A later rollback does not extend it. */
      duration_seconds: number | null;
      error_message: string | null;
      /** @description The target failed because of a timeout, so the version of the device is uncertain. */
      timed_out: boolean;
      /** @description The attempts before the latest retry, oldest first; at most the last 20. */
      earlier_attempts: components['schemas']['EarlierAttempt'][];
      /** @description The version of a requested rollback, until the device has answered the request. */
      rollback_requested: string | null;
    };
    /**
     * Format: date-time
     * @description ISO 8601 in UTC.
     */
    Timestamp: string;
    UpdateOffer: {
      /**
       * @description ●
       * @constant
       */
      update_available: true;
      /** @description ● */
      deployment_id: components['schemas']['Uuid'];
      /** @description ● */
      target_version: string;
      /** @description ● */
      update_package_url: string;
      /** @description ● As the admin wrote it: `sha256:<64 hex>` or `<64 hex>`. */
      checksum: string;
      /** @description ● */
      release_notes: string;
      /** @description Starts at 1; agents send it back in every report. */
      attempt: components['schemas']['Ordinal'];
      /** @description The exact text of the signed manifest, if the deployment has one. */
      manifest?: string;
      signature?: string;
      poll_after_seconds: components['schemas']['Count'];
    };
    /** Format: uuid */
    Uuid: string;
    /** @description Numbers of devices by what the update does to their version. `unknown`: the version is unknown or cannot be compared. */
    VersionChanges: {
      upgrade: components['schemas']['Count'];
      downgrade: components['schemas']['Count'];
      same: components['schemas']['Count'];
      unknown: components['schemas']['Count'];
    };
    /** @enum {string} */
    VersionOperator: '<' | '<=' | '!=' | '=' | '>' | '>=';
  };
  responses: {
    /** @description The request is not valid */
    invalid_request: {
      headers: {
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 400;
          /** @enum {unknown} */
          code?: 'invalid_request';
        };
      };
    };
    /** @description Authentication is required */
    unauthenticated: {
      headers: {
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 401;
          /** @enum {unknown} */
          code?: 'unauthenticated';
        };
      };
    };
    /** @description Not allowed */
    forbidden: {
      headers: {
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 403;
          /** @enum {unknown} */
          code?: 'forbidden';
        };
      };
    };
    /** @description The request body is too large */
    payload_too_large: {
      headers: {
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 413;
          /** @enum {unknown} */
          code?: 'payload_too_large';
        };
      };
    };
    /** @description The request body must be JSON */
    unsupported_media_type: {
      headers: {
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 415;
          /** @enum {unknown} */
          code?: 'unsupported_media_type';
        };
      };
    };
    /** @description Internal error */
    internal_error: {
      headers: {
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 500;
          /** @enum {unknown} */
          code?: 'internal_error';
        };
      };
    };
    /** @description The database is unavailable; The plugin is starting or stopping */
    database_unavailable_or_not_ready: {
      headers: {
        /** @description Seconds after which trying again makes sense */
        'Retry-After': number;
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 503;
          /** @enum {unknown} */
          code?: 'database_unavailable' | 'not_ready';
        };
      };
    };
    /** @description The database is unavailable; The plugin is starting or stopping; The job queue is unavailable */
    database_unavailable_or_not_ready_or_queue_unavailable: {
      headers: {
        /** @description Seconds after which trying again makes sense */
        'Retry-After': number;
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 503;
          /** @enum {unknown} */
          code?: 'database_unavailable' | 'not_ready' | 'queue_unavailable';
        };
      };
    };
    /** @description No device matches the filters; The plan has too many batches; The package signature is not valid; The key was used for another request */
    no_matching_devices_or_too_many_batches_or_signature_refused_or_idempotency_key_reused: {
      headers: {
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 422;
          /** @enum {unknown} */
          code?:
            | 'no_matching_devices'
            | 'too_many_batches'
            | 'signature_refused'
            | 'idempotency_key_reused';
        };
      };
    };
    /** @description The plan has too many batches */
    too_many_batches: {
      headers: {
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 422;
          /** @enum {unknown} */
          code?: 'too_many_batches';
        };
      };
    };
    /** @description Not found */
    not_found: {
      headers: {
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 404;
          /** @enum {unknown} */
          code?: 'not_found';
        };
      };
    };
    /** @description Not possible in the current state */
    invalid_state: {
      headers: {
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 409;
          /** @enum {unknown} */
          code?: 'invalid_state';
        };
      };
    };
    /** @description The percentage adds no devices */
    percentage_too_low: {
      headers: {
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 422;
          /** @enum {unknown} */
          code?: 'percentage_too_low';
        };
      };
    };
    /** @description Not possible in the current state; The device has completed a newer deployment */
    invalid_state_or_newer_version_installed: {
      headers: {
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 409;
          /** @enum {unknown} */
          code?: 'invalid_state' | 'newer_version_installed';
        };
      };
    };
    /** @description The previous version is unknown */
    previous_version_unknown: {
      headers: {
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 422;
          /** @enum {unknown} */
          code?: 'previous_version_unknown';
        };
      };
    };
    /** @description Too many requests */
    too_many_requests: {
      headers: {
        /** @description Seconds after which trying again makes sense */
        'Retry-After': number;
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 429;
          /** @enum {unknown} */
          code?: 'too_many_requests';
        };
      };
    };
    /** @description The database is unavailable; The plugin is starting or stopping; The server is overloaded */
    database_unavailable_or_not_ready_or_overloaded: {
      headers: {
        /** @description Seconds after which trying again makes sense */
        'Retry-After': number;
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 503;
          /** @enum {unknown} */
          code?: 'database_unavailable' | 'not_ready' | 'overloaded';
        };
      };
    };
    /** @description Not possible in the current state; A later report is already recorded; The report belongs to an earlier attempt */
    invalid_state_or_stale_status_or_stale_attempt: {
      headers: {
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 409;
          /** @enum {unknown} */
          code?: 'invalid_state' | 'stale_status' | 'stale_attempt';
        };
      };
    };
    /** @description The request body is too large; The installation log of this attempt is full */
    payload_too_large_or_log_limit_reached: {
      headers: {
        [name: string]: unknown;
      };
      content: {
        'application/problem+json': components['schemas']['Problem'] & {
          /** @constant */
          status?: 413;
          /** @enum {unknown} */
          code?: 'payload_too_large' | 'log_limit_reached';
        };
      };
    };
  };
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
  listDeployments: {
    parameters: {
      query?: {
        status?: '' | 'pending' | 'in_progress' | 'paused' | 'completed' | 'failed' | 'cancelled';
        search?: string;
        page?: number;
        page_size?: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Deployments of the organization, newest first */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeploymentList'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  createDeployment: {
    parameters: {
      query?: never;
      header?: {
        /** @description Makes it safe to send again: for 24 hours the same key and body give the first answer */
        'Idempotency-Key'?: string;
      };
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "deployment_name": "Firmware Update v2.1.0",
         *       "target_version": "v2.1.0",
         *       "rollout_strategy": "canary",
         *       "rollout_percentage": 20,
         *       "device_filters": {
         *         "device_type": "raspberry_pi",
         *         "current_version": "v2.0.0",
         *         "version_operator": "!=",
         *         "status": "online"
         *       },
         *       "update_package_url": "https://cdn.example.com/updates/v2.1.0.tar.gz",
         *       "checksum": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
         *       "release_notes": "Bug fixes and performance improvements"
         *     }
         */
        'application/json': {
          deployment_name: string;
          target_version: string;
          /** @enum {string} */
          rollout_strategy: 'manual' | 'immediate' | 'canary' | 'rolling';
          rollout_percentage?: number;
          batch_size?: number;
          device_filters?: {
            device_type?: string;
            current_version?: string;
            version_operator?: '<' | '<=' | '!=' | '=' | '>' | '>=';
            /** @enum {string} */
            status?: '' | 'online' | 'offline';
            device_ids?: string[];
          };
          device_ids?: string[];
          skip_up_to_date?: boolean;
          /** Format: uri */
          update_package_url: string;
          checksum: string;
          release_notes?: string;
          policy?: {
            failure_threshold_percent?: number | null;
            failure_min_devices?: number;
            device_timeout_minutes?: number;
            pickup_timeout_hours?: number | null;
          };
          /** Format: date-time */
          scheduled_at?: string;
          manifest?: string;
          signature?: string;
        };
      };
    };
    responses: {
      /** @description Creates a deployment: all of it or nothing */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['CreatedDeployment'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      422: components['responses']['no_matching_devices_or_too_many_batches_or_signature_refused_or_idempotency_key_reused'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready_or_queue_unavailable'];
    };
  };
  previewDeployment: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "deployment_name": "Firmware Update v2.1.0",
         *       "target_version": "v2.1.0",
         *       "rollout_strategy": "canary",
         *       "rollout_percentage": 20,
         *       "device_filters": {
         *         "device_type": "raspberry_pi",
         *         "current_version": "v2.0.0",
         *         "version_operator": "!=",
         *         "status": "online"
         *       },
         *       "update_package_url": "https://cdn.example.com/updates/v2.1.0.tar.gz",
         *       "checksum": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
         *       "release_notes": "Bug fixes and performance improvements"
         *     }
         */
        'application/json': {
          deployment_name?: unknown;
          target_version?: string;
          /** @enum {string} */
          rollout_strategy: 'manual' | 'immediate' | 'canary' | 'rolling';
          rollout_percentage?: number;
          batch_size?: number;
          device_filters?: {
            device_type?: string;
            current_version?: string;
            version_operator?: '<' | '<=' | '!=' | '=' | '>' | '>=';
            /** @enum {string} */
            status?: '' | 'online' | 'offline';
            device_ids?: string[];
          };
          device_ids?: string[];
          skip_up_to_date?: boolean;
          update_package_url?: unknown;
          checksum?: unknown;
          release_notes?: unknown;
          policy?: {
            failure_threshold_percent?: number | null;
            failure_min_devices?: number;
            device_timeout_minutes?: number;
            pickup_timeout_hours?: number | null;
          };
          scheduled_at?: unknown;
          manifest?: unknown;
          signature?: unknown;
        };
      };
    };
    responses: {
      /** @description Who would get the update and in which batches; creates nothing */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeploymentPreview'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      422: components['responses']['too_many_batches'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  getDraftImpact: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "deployment_name": "Firmware Update v2.1.0",
         *       "target_version": "v2.1.0",
         *       "rollout_strategy": "canary",
         *       "rollout_percentage": 20,
         *       "device_filters": {
         *         "device_type": "raspberry_pi",
         *         "current_version": "v2.0.0",
         *         "version_operator": "!=",
         *         "status": "online"
         *       },
         *       "update_package_url": "https://cdn.example.com/updates/v2.1.0.tar.gz",
         *       "checksum": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
         *       "release_notes": "Bug fixes and performance improvements"
         *     }
         */
        'application/json': {
          deployment_name?: unknown;
          target_version?: string;
          /** @enum {string} */
          rollout_strategy: 'manual' | 'immediate' | 'canary' | 'rolling';
          rollout_percentage?: number;
          batch_size?: number;
          device_filters?: {
            device_type?: string;
            current_version?: string;
            version_operator?: '<' | '<=' | '!=' | '=' | '>' | '>=';
            /** @enum {string} */
            status?: '' | 'online' | 'offline';
            device_ids?: string[];
          };
          device_ids?: string[];
          skip_up_to_date?: boolean;
          update_package_url?: unknown;
          checksum?: unknown;
          release_notes?: unknown;
          policy?: {
            failure_threshold_percent?: number | null;
            failure_min_devices?: number;
            device_timeout_minutes?: number;
            pickup_timeout_hours?: number | null;
          };
          scheduled_at?: unknown;
          manifest?: unknown;
          signature?: unknown;
        };
      };
    };
    responses: {
      /** @description What a deployment would do to the fleet; creates nothing */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeploymentImpact'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  getImpact: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description What starting or going on with the deployment would do to the fleet as it is now */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeploymentImpact'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  getDeployment: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description A deployment with its progress, batches, policy and first 100 devices */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeploymentDetail'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  listTargets: {
    parameters: {
      query?: {
        status?:
          | ''
          | 'pending'
          | 'downloading'
          | 'installing'
          | 'verifying'
          | 'completed'
          | 'failed'
          | 'skipped'
          | 'rolled_back';
        batch?: number;
        search?: string;
        cursor?: string;
        limit?: number;
      };
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description A page of the devices of a deployment */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['TargetPage'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  startDeployment: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody?: {
      content: {
        'application/json': Record<string, never>;
      };
    };
    responses: {
      /** @description Starts a pending deployment */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeploymentDetail'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      409: components['responses']['invalid_state'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready_or_queue_unavailable'];
    };
  };
  pauseDeployment: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody?: {
      content: {
        'application/json': Record<string, never>;
      };
    };
    responses: {
      /** @description Offers nothing new; devices at work finish */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeploymentDetail'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      409: components['responses']['invalid_state'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  resumeDeployment: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody?: {
      content: {
        'application/json': Record<string, never>;
      };
    };
    responses: {
      /** @description Goes on where the deployment was paused, and accepts the failures so far */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeploymentDetail'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      409: components['responses']['invalid_state'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready_or_queue_unavailable'];
    };
  };
  cancelDeployment: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody?: {
      content: {
        'application/json': Record<string, never>;
      };
    };
    responses: {
      /** @description Skips pending devices, stops those at work where that is still safe */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeploymentDetail'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      409: components['responses']['invalid_state'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  expandDeployment: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody?: {
      content: {
        /**
         * @example {
         *       "percentage": 100
         *     }
         */
        'application/json': {
          /** @default 100 */
          percentage?: number;
        };
      };
    };
    responses: {
      /** @description Releases more of a canary, up to a share of all its devices */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeploymentDetail'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      409: components['responses']['invalid_state'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      422: components['responses']['percentage_too_low'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready_or_queue_unavailable'];
    };
  };
  retryDevices: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody?: {
      content: {
        'application/json': {
          device_ids?: string[];
        };
      };
    };
    responses: {
      /** @description A new attempt for devices that failed or went back by themselves */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['RetryResponse'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      409: components['responses']['invalid_state'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready_or_queue_unavailable'];
    };
  };
  rollBackDevice: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
        device_id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody?: {
      content: {
        /**
         * @example {
         *       "previous_version": "v2.0.0"
         *     }
         */
        'application/json': {
          previous_version?: string;
          force?: boolean;
        };
      };
    };
    responses: {
      /** @description Asks a device to go back to an earlier version, at its next poll */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['RollbackAccepted'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      409: components['responses']['invalid_state_or_newer_version_installed'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      422: components['responses']['previous_version_unknown'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  withdrawRollback: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
        device_id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Takes back what asked a device to go back, as long as it has not answered */
      204: {
        headers: {
          [name: string]: unknown;
        };
        content?: never;
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      409: components['responses']['invalid_state'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  getInstallLogs: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
        device_id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description The installation log of each attempt */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['InstallLogs'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  listEvents: {
    parameters: {
      query?: {
        cursor?: string;
      };
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description The timeline of a deployment, newest first */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['EventPage'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  streamDeployment: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Server-sent events. The name of an event is the `type` of a StreamEvent, its data the JSON of the rest. `Last-Event-ID` goes on where a stream was cut off. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'text/event-stream': string;
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  streamDeployments: {
    parameters: {
      query?: {
        detail?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Server-sent events. The name of an event is the `type` of a StreamEvent, its data the JSON of the rest. `Last-Event-ID` goes on where a stream was cut off. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'text/event-stream': string;
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  listDevices: {
    parameters: {
      query?: {
        search?: string;
        device_type?: string;
        status?: '' | 'online' | 'offline';
        cursor?: string;
        limit?: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Devices to pick from, and the types and versions there are */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DevicePage'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  getMetrics: {
    parameters: {
      query?: {
        deployment_id?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Figures of the organization, or of one deployment */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OtaMetrics'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  getOpenApi: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description This document */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': Record<string, never>;
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready'];
    };
  };
  checkUpdate: {
    parameters: {
      query: {
        device_id: string;
        current_version?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description What the device is to do now, and when to ask again */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['CheckUpdateResponse'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      429: components['responses']['too_many_requests'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready_or_overloaded'];
    };
  };
  reportStatus: {
    parameters: {
      query: {
        device_id: string;
      };
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "status": "downloading",
         *       "attempt": 1,
         *       "progress": 40
         *     }
         */
        'application/json': {
          /** @enum {string} */
          status:
            | 'downloading'
            | 'installing'
            | 'verifying'
            | 'completed'
            | 'failed'
            | 'rolled_back'
            | 'skipped';
          error_message?: string | null;
          attempt?: number;
          progress?: number;
          installed_version?: string;
        };
      };
    };
    responses: {
      /** @description How far the device is; acknowledged once it is stored, and may be repeated */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['StatusResponse'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      409: components['responses']['invalid_state_or_stale_status_or_stale_attempt'];
      413: components['responses']['payload_too_large'];
      415: components['responses']['unsupported_media_type'];
      429: components['responses']['too_many_requests'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready_or_overloaded'];
    };
  };
  uploadLog: {
    parameters: {
      query: {
        device_id: string;
      };
      header?: never;
      path: {
        id: components['schemas']['Uuid'];
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "attempt": 1,
         *       "chunk": "Installing v2.1.0\n",
         *       "offset": 0
         *     }
         */
        'application/json': {
          attempt: number;
          chunk: string;
          offset?: number;
        };
      };
    };
    responses: {
      /** @description A piece of the installation log */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['LogAccepted'];
        };
      };
      400: components['responses']['invalid_request'];
      401: components['responses']['unauthenticated'];
      403: components['responses']['forbidden'];
      404: components['responses']['not_found'];
      413: components['responses']['payload_too_large_or_log_limit_reached'];
      415: components['responses']['unsupported_media_type'];
      429: components['responses']['too_many_requests'];
      500: components['responses']['internal_error'];
      503: components['responses']['database_unavailable_or_not_ready_or_overloaded'];
    };
  };
}
