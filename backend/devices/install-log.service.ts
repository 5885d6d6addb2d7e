import { inject, injectable } from 'inversify';
import type { InstallLogs } from '../contract/admin-api.ts';
import { MAX_INSTALL_LOG_BYTES, type LogUpload } from '../contract/device-api.ts';
import { DeploymentRepository } from '../deployments/model/deployment.ports.ts';
import { TargetRepository } from '../deployments/model/target.ports.ts';
import type { DeviceIdentity } from '../host-contract.ts';
import { DomainError, invalidRequest, notFound } from '../kernel/errors.ts';
import { UnitOfWork } from '../kernel/unit-of-work.ts';
import { InstallLogRepository } from './install-log.ports.ts';

/** Installation logs: devices append, admins read. */
@injectable()
export class InstallLogService {
  constructor(
    @inject(UnitOfWork) private readonly work: UnitOfWork,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(TargetRepository) private readonly targets: TargetRepository,
    @inject(InstallLogRepository) private readonly logs: InstallLogRepository,
  ) {}

  /**
   * Appends a chunk. One that starts before the stored end was sent before and is dropped; logs of
   * an earlier attempt may still arrive. Throws `not_found` and `log_limit_reached`.
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
          { path: 'attempt', message: `the device is at attempt ${target.attempt}` },
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
      'chunk does not fit. Send a shorter one, or none.',
  );
}
