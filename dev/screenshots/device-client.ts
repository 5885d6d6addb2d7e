/** A device as the server sees it: polls and reports over the device API, installs nothing. */
import type {
  CheckUpdateResponse,
  LogUpload,
  StatusAnswer,
  StatusReport,
} from '../../backend/contract/device-api.ts';

export class DeviceClient {
  readonly id: string;
  readonly name: string;
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, device: { id: string; name: string; token: string }) {
    this.#url = url;
    this.id = device.id;
    this.name = device.name;
    this.#token = device.token;
  }

  checkUpdate(): Promise<CheckUpdateResponse> {
    return this.#request('GET', '/check-update');
  }

  /** @returns the answer of the last report */
  async report(
    deploymentId: string,
    ...reports: (StatusReport | StatusReport['status'])[]
  ): Promise<StatusAnswer> {
    let answer: StatusAnswer | undefined;
    for (const report of reports) {
      const body = typeof report === 'string' ? { status: report } : report;
      answer = await this.#request('POST', `/deployments/${deploymentId}/status`, body);
    }
    if (!answer) throw new Error('Nothing to report was given.');
    return answer;
  }

  sendLog(deploymentId: string, log: LogUpload): Promise<unknown> {
    return this.#request('POST', `/deployments/${deploymentId}/logs`, log);
  }

  async #request<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1/ota${path}?device_id=${this.id}`, {
      method,
      headers: { Authorization: `Bearer ${this.#token}`, 'Content-Type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${this.name}: ${method} ${path} → ${text}`);
    return (text === '' ? null : JSON.parse(text)) as T;
  }
}

export interface DeviceToBe {
  name: string;
  type: string;
  version: string;
  online: boolean;
}

/**
 * Registers devices as the agents do, a few at a time.
 *
 * @param adminToken of an admin of the organization the devices shall belong to
 */
export async function registerDevices(
  url: string,
  adminToken: string,
  wanted: readonly DeviceToBe[],
): Promise<DeviceClient[]> {
  const post = async <T>(path: string, token: string | null, body: object): Promise<T> => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
      },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`POST ${path} → ${await response.text()}`);
    return (await response.json()) as T;
  };
  const register = async (device: DeviceToBe) => {
    const { name, type, version } = device;
    const made = await post<{ registration_token: string }>(
      '/api/v1/admin/edge/devices/generate-token',
      adminToken,
      { device_name: name, device_type: type },
    );
    const registered = await post<{ device_id: string; auth_token: string }>(
      '/api/v1/edge/devices/register',
      null,
      {
        hardware_id: `hw-${name}`,
        registration_token: made.registration_token,
        firmware_version: version,
        metadata: {},
      },
    );
    // Until the first heartbeat a device counts as offline.
    if (device.online) {
      await post(
        `/api/v1/edge/devices/${registered.device_id}/heartbeat`,
        registered.auth_token,
        {},
      );
    }
    return new DeviceClient(url, {
      id: registered.device_id,
      name,
      token: registered.auth_token,
    });
  };
  const devices: DeviceClient[] = [];
  const AT_A_TIME = 8;
  for (let from = 0; from < wanted.length; from += AT_A_TIME) {
    devices.push(...(await Promise.all(wanted.slice(from, from + AT_A_TIME).map(register))));
  }
  return devices;
}
