import type {
  CreateDeploymentRequest,
  CreatedDeployment,
} from '../../../backend/contract/admin-api.ts';
import type { DeviceClient } from '../../../dev/fleet/device-client.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import type { OpsCenter } from './ops-center.ts';

export const CHECKSUM = `sha256:${'a3'.repeat(32)}`;

/** Creates a deployment of v2.1.0 to everything at once, unless asked otherwise. */
export function createDeployment(
  ops: OpsCenter,
  request: Partial<CreateDeploymentRequest> = {},
): Promise<CreatedDeployment> {
  return ops.api('POST', '/deployments', {
    deployment_name: 'Firmware Update v2.1.0',
    target_version: 'v2.1.0',
    rollout_strategy: 'immediate',
    update_package_url: 'https://cdn.example.com/updates/v2.1.0.tar.gz',
    checksum: CHECKSUM,
    ...request,
  });
}

/** Those of the devices that are offered the deployment, as soon as there are `count` of them. */
export function offered(
  devices: readonly DeviceClient[],
  deploymentId: string,
  count: number,
): Promise<DeviceClient[]> {
  return waitFor(
    async () => {
      const answers = await Promise.all(devices.map((device) => device.checkUpdate()));
      const found = devices.filter((_, index) => {
        const answer = answers[index];
        return answer?.update_available === true && answer.deployment_id === deploymentId;
      });
      return found.length >= count ? found : null;
    },
    { timeout: 15_000, describe: `${count} devices are offered ${deploymentId}` },
  );
}

/** Reports every step of a successful update. */
export async function complete(device: DeviceClient, deploymentId: string): Promise<void> {
  await device.report(deploymentId, 'downloading', 'installing', 'verifying', 'completed');
}

export function completeAll(devices: readonly DeviceClient[], deploymentId: string) {
  return Promise.all(devices.map((device) => complete(device, deploymentId)));
}
