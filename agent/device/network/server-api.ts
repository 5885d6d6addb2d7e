/** The calls of the device API and of device registration. */
import type {
  CheckUpdateQuery,
  Components,
  LogUpload,
  StatusReport,
} from '../../../backend/contract/device-api.ts';
import type { Protection } from '../../../backend/contract/states.ts';
import { type Credentials, readRegistration } from '../state/credentials.ts';
import { StepFailure, messageOf } from '../../kernel/errors.ts';
import { describeAnswer, isJsonObject } from './answers.ts';
import { type HttpAnswer, type HttpClient, ServerUnreachable } from './http-client.ts';

export interface Heartbeat {
  status: string;
  /** Seconds since the device started. */
  uptime: number;
  services: Record<string, string>;
  metrics: Record<string, number>;
  ip_address: string | null;
}

/** What a poll tells the server about the device. */
export interface DeviceDescription {
  /** Version of the main product; `null`: unknown. */
  currentVersion: string | null;
  protection?: Protection;
  components?: Components;
}

/** Every method rejects with `ServerUnreachable` when there is no answer at all. */
export interface ServerApi {
  readonly origin: string;
  readonly token: string;
  checkUpdate(device: DeviceDescription, signal: AbortSignal): Promise<HttpAnswer>;
  report(deploymentId: string, body: StatusReport, signal: AbortSignal): Promise<HttpAnswer>;
  uploadLog(deploymentId: string, body: LogUpload, signal: AbortSignal): Promise<HttpAnswer>;
  heartbeat(body: Heartbeat, signal: AbortSignal): Promise<HttpAnswer>;
}

/** @param who returns the current registration, at each call */
export function createServerApi(http: HttpClient, who: () => Credentials): ServerApi {
  const at = (path: string, query: Record<string, string> = {}): URL => {
    const url = new URL(`${who().server_url}${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url;
  };
  const device = () => ({ device_id: who().device_id });
  const deployment = (id: string): string => `/api/v1/ota/deployments/${encodeURIComponent(id)}`;
  return {
    get origin() {
      return new URL(who().server_url).origin;
    },
    get token() {
      return who().auth_token;
    },
    checkUpdate: (description, signal) =>
      http.json({
        method: 'GET',
        url: at('/api/v1/ota/check-update', { ...device(), ...pollQuery(description) }),
        token: who().auth_token,
        signal,
      }),
    report: (id, body, signal) =>
      http.json({
        method: 'POST',
        url: at(`${deployment(id)}/status`, device()),
        token: who().auth_token,
        body,
        signal,
      }),
    uploadLog: (id, body, signal) =>
      http.json({
        method: 'POST',
        url: at(`${deployment(id)}/logs`, device()),
        token: who().auth_token,
        body,
        signal,
      }),
    heartbeat: (body, signal) =>
      http.json({
        method: 'POST',
        url: at(`/api/v1/edge/devices/${encodeURIComponent(who().device_id)}/heartbeat`),
        token: who().auth_token,
        body,
        signal,
      }),
  };
}

function pollQuery({
  currentVersion,
  protection,
  components = {},
}: DeviceDescription): Omit<CheckUpdateQuery, 'device_id'> {
  const hasComponents = Object.keys(components).length > 0;
  return {
    ...(currentVersion !== null && { current_version: currentVersion }),
    ...(protection !== undefined && { protection }),
    ...(hasComponents && { components: JSON.stringify(components) }),
  };
}

export interface RegistrationRequest {
  hardware_id: string;
  registration_token: string;
  firmware_version: string;
  metadata: Record<string, unknown>;
}

/**
 * @throws {StepFailure} when the server refuses
 * @throws {ServerUnreachable} no answer, or none from Ops-Center
 */
export async function registerDevice(
  http: HttpClient,
  serverUrl: string,
  request: RegistrationRequest,
): Promise<Credentials> {
  const url = new URL(`${serverUrl}/api/v1/edge/devices/register`);
  const answer = await http.json({ method: 'POST', url, body: request });
  // The route belongs to the host, and so do its errors: JSON as well, but without the product's codes.
  if (!isJsonObject(answer.body)) {
    throw new ServerUnreachable(
      `Something other than Ops-Center answered at ${url.origin}: ${describeAnswer(answer)}`,
    );
  }
  if (answer.status < 200 || answer.status > 299) {
    throw new StepFailure(`The server refused the registration: ${describeAnswer(answer)}`);
  }
  try {
    return {
      server_url: serverUrl,
      hardware_id: request.hardware_id,
      ...readRegistration(answer.body),
    };
  } catch (error) {
    throw new StepFailure(`The server's answer is not a registration: ${messageOf(error)}`);
  }
}
