/** A minimal client of the device API: polls and reports, but installs nothing. Errors are thrown. */
import type {
  CheckUpdateQuery,
  CheckUpdateResponse,
  LogUpload,
  StatusResponse,
  StatusReport,
} from '../../backend/contract/device-api.ts';

export class DeviceClient {
  readonly id: string;
  readonly name: string;
  readonly #token: string;

  constructor(
    private readonly url: string,
    device: { id: string; name: string; token: string },
  ) {
    this.id = device.id;
    this.name = device.name;
    this.#token = device.token;
  }

  /**
   * @param currentVersion installed version; earlier agents do not send it
   * @param profile what the device reports about itself
   */
  checkUpdate(
    currentVersion?: string,
    profile: Pick<CheckUpdateQuery, 'protection' | 'components'> = {},
  ): Promise<CheckUpdateResponse> {
    const current = currentVersion === undefined ? {} : { current_version: currentVersion };
    return this.#request('GET', '/check-update', undefined, { ...current, ...profile });
  }

  /**
   * Sends reports one after the other.
   *
   * @returns the response to the last one
   */
  async report(
    deploymentId: string,
    ...reports: (StatusReport | StatusReport['status'])[]
  ): Promise<StatusResponse> {
    let answer: StatusResponse | undefined;
    for (const report of reports) {
      const body = typeof report === 'string' ? { status: report } : report;
      answer = await this.#request('POST', `/deployments/${deploymentId}/status`, body);
    }
    if (!answer) throw new Error('No report was given.');
    return answer;
  }

  sendLog(deploymentId: string, log: LogUpload): Promise<unknown> {
    return this.#request('POST', `/deployments/${deploymentId}/logs`, log);
  }

  async #request<T>(method: string, path: string, body?: object, query: object = {}): Promise<T> {
    const search = new URLSearchParams({ device_id: this.id, ...query });
    const response = await fetch(`${this.url}/api/v1/ota${path}?${search.toString()}`, {
      method,
      headers: { Authorization: `Bearer ${this.#token}`, 'Content-Type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${this.name}: ${method} ${path} → ${text}`);
    return (text === '' ? null : JSON.parse(text)) as T;
  }
}
