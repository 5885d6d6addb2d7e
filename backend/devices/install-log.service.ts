import { inject, injectable } from 'inversify';
import type { InstallLogs } from '../contract/admin-api.ts';
import { MAX_INSTALL_LOG_BYTES, type LogUpload } from '../contract/device-api.ts';
import { DeploymentRepository } from '../deployments/model/deployment.ports.ts';
import { TargetRepository } from '../deployments/model/target.ports.ts';
import type { DeviceIdentity } from '../host-contract.ts';
import { DomainError, invalidRequest, notFound } from '../kernel/errors.ts';
import { UnitOfWork } from '../kernel/unit-of-work.ts';
import { InstallLogRepository } from './install-log.ports.ts';

/** Stores and reads installation logs. */
@injectable()
export class InstallLogService {
  constructor(
    @inject(UnitOfWork) private readonly work: UnitOfWork,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(TargetRepository) private readonly targets: TargetRepository,
    @inject(InstallLogRepository) private readonly logs: InstallLogRepository,
  ) {}

  /**
   * Appends a chunk. A chunk that starts before the end of the stored log was sent before, and is dropped. Logs of
   * earlier attempts are accepted, too. Throws `not_found`, `invalid_request` and `log_limit_reached`.
   */
  async append(device: DeviceIdentity, deploymentId: string, upload: LogUpload): Promise<void> {
    const deployment = await this.deployments.find(device.organizationId, deploymentId);
    if (!deployment) throw notFound('This deployment');
    const key = { deploymentId, deviceId: device.deviceId, attempt: upload.attempt };
    await this.work.run(async (tx) => {
      const [target] = await this.targets.lock(tx, [key]);
      if (!target) throw notFound('This device in this deployment');
      if (upload.attempt > target.attempt) {
        throw invalidRequest([
          { path: 'attempt', message: `the current attempt is ${target.attempt}` },
        ]);
      }
      const stored = await this.logs.size(tx, key);
      if (upload.offset !== undefined && upload.offset < stored) return;
      const bytes = Buffer.byteLength(upload.chunk);
      if (stored + bytes > MAX_INSTALL_LOG_BYTES) throw logLimitReached(stored);
      if (bytes > 0) {
        await this.logs.append(tx, { ...key, startOffset: stored, chunk: upload.chunk, bytes });
      }
    });
  }

  /** The logs of all attempts of a target. Throws `not_found`. */
  async read(organizationId: string, deploymentId: string, deviceId: string): Promise<InstallLogs> {
    const deployment = await this.deployments.find(organizationId, deploymentId);
    const target = deployment && (await this.targets.find(deploymentId, deviceId));
    if (!target) throw notFound('This device in this deployment');
    return this.logs.read(deploymentId, deviceId);
  }
}

function logLimitReached(stored: number): DomainError {
  return new DomainError(
    'log_limit_reached',
    `${stored} of at most ${MAX_INSTALL_LOG_BYTES} bytes are stored for this attempt, and the ` +
      'chunk does not fit. Send a shorter chunk, or none.',
  );
}
