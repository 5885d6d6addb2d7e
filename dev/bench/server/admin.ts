/** The admin API as the benchmark uses it. Methods throw if the response is not a 2xx. */
import { Agent, fetch } from 'undici';

import type {
  CreateDeploymentRequest,
  CreatedDeployment,
  DeploymentDetail,
  DeploymentImpact,
  DeploymentPreview,
} from '../../../backend/contract/admin-api.ts';
import { waitFor } from '../../wait-for.ts';

const BENCH_DEPLOYMENT: CreateDeploymentRequest = {
  deployment_name: 'Bench',
  target_version: 'v9.0.0',
  rollout_strategy: 'immediate',
  update_package_url: 'https://updates.example.com/packages/v9.0.0.tar.gz',
  checksum: `sha256:${'0'.repeat(64)}`,
  release_notes: 'Created by the benchmark',
};

/** Waits as long as the server does: ten million targets take longer to create than fetch waits by default. */
const PATIENT = new Agent({ headersTimeout: 0 });

export class AdminApi {
  readonly #url: string;

  constructor(
    url: string,
    private readonly token: string,
  ) {
    this.#url = `${url}/api/v1/admin/ota`;
  }

  get<T>(path: string): Promise<T> {
    return this.#request('GET', path);
  }

  create(request: Partial<CreateDeploymentRequest>): Promise<CreatedDeployment> {
    return this.#request('POST', '/deployments', { ...BENCH_DEPLOYMENT, ...request });
  }

  preview(request: Partial<CreateDeploymentRequest>): Promise<DeploymentPreview> {
    return this.#request('POST', '/deployments/preview', { ...BENCH_DEPLOYMENT, ...request });
  }

  draftImpact(request: Partial<CreateDeploymentRequest>): Promise<DeploymentImpact> {
    return this.#request('POST', '/deployments/impact', { ...BENCH_DEPLOYMENT, ...request });
  }

  /** @param action `start`, `pause`, `resume`, … */
  act(id: string, action: string): Promise<DeploymentDetail> {
    return this.#request('POST', `/deployments/${id}/${action}`, {});
  }

  /** Starts a deployment, and resolves when every batch is released. */
  async release(id: string): Promise<void> {
    await this.act(id, 'start');
    await waitFor(
      async () => {
        const { batches } = await this.get<DeploymentDetail>(`/deployments/${id}`);
        return batches.every((batch) => batch.released_at !== null);
      },
      { timeout: 120_000, every: 5, describe: 'every batch is released' },
    );
  }

  async #request<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      dispatcher: PATIENT,
      headers: { Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path} → ${await response.text()}`);
    return (await response.json()) as T;
  }
}
