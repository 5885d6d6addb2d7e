/** The calls of the device API and of device registration, as addresses and bodies. */
import type { LogUpload, StatusReport } from '../../backend/contract/device-api.ts';
import { type Credentials, readRegistration } from '../state/credentials.ts';
import { StepFailure, messageOf } from '../errors.ts';
import type { HttpAnswer, HttpClient } from './http-client.ts';

export interface Heartbeat {
  status: string;
  /** Seconds since the device started. */
  uptime: number;
  services: Record<string, string>;
  metrics: Record<string, number>;
  ip_address: string | null;
}

/** Every method rejects with `ServerUnreachable` when there is no answer at all. */
export interface ServerApi {
  readonly origin: string;
  readonly token: string;
  /** How often the server has answered anything at all, refusals included, since this was made. */
  readonly answers: number;
  checkUpdate(currentVersion: string | null, signal: AbortSignal): Promise<HttpAnswer>;
  report(deploymentId: string, body: StatusReport, signal: AbortSignal): Promise<HttpAnswer>;
  uploadLog(deploymentId: string, body: LogUpload, signal: AbortSignal): Promise<HttpAnswer>;
  heartbeat(body: Heartbeat, signal: AbortSignal): Promise<HttpAnswer>;
}

export function createServerApi(http: HttpClient, who: Credentials): ServerApi {
  const at = (path: string, query: Record<string, string> = {}): URL => {
    const url = new URL(`${who.server_url}${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url;
  };
  const device = { device_id: who.device_id };
  const token = who.auth_token;
  let answers = 0;
  const call: HttpClient['json'] = async (request) => {
    const answer = await http.json(request);
    answers++;
    return answer;
  };
  const deployment = (id: string): string => `/api/v1/ota/deployments/${encodeURIComponent(id)}`;
  return {
    origin: new URL(who.server_url).origin,
    token,
    get answers() {
      return answers;
    },
    checkUpdate: (version, signal) =>
      call({
        method: 'GET',
        url: at('/api/v1/ota/check-update', {
          ...device,
          ...(version === null ? {} : { current_version: version }),
        }),
        token,
        signal,
      }),
    report: (id, body, signal) =>
      call({
        method: 'POST',
        url: at(`${deployment(id)}/status`, device),
        token,
        body,
        signal,
      }),
    uploadLog: (id, body, signal) =>
      call({ method: 'POST', url: at(`${deployment(id)}/logs`, device), token, body, signal }),
    heartbeat: (body, signal) =>
      call({
        method: 'POST',
        url: at(`/api/v1/edge/devices/${encodeURIComponent(who.device_id)}/heartbeat`),
        token,
        body,
        signal,
      }),
  };
}

export interface RegistrationRequest {
  hardware_id: string;
  registration_token: string;
  firmware_version: string;
  metadata: Record<string, unknown>;
}

/**
 * @throws {StepFailure} when the server refuses or answers something else
 * @throws {ServerUnreachable}
 */
export async function registerDevice(
  http: HttpClient,
  serverUrl: string,
  request: RegistrationRequest,
): Promise<Credentials> {
  const url = new URL(`${serverUrl}/api/v1/edge/devices/register`);
  const answer = await http.json({ method: 'POST', url, body: request });
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

/** Status and, when the server gave one, its explanation: `409 stale_attempt: …`. */
export function describeAnswer(answer: HttpAnswer): string {
  const body = (answer.body ?? {}) as { code?: unknown; detail?: unknown; message?: unknown };
  const code = typeof body.code === 'string' ? ` ${body.code}` : '';
  const why = [body.detail, body.message].find((text) => typeof text === 'string');
  return `${answer.status}${code}${why ? `: ${String(why).slice(0, 300)}` : ''}`;
}
