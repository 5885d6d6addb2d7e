/** What the demo deploys, for each strategy. */
import type { CreateDeploymentRequest } from '../../backend/contract/admin-api.ts';
import type { RolloutStrategy } from '../../backend/contract/states.ts';
import type { SandboxDevice } from './sandbox-device.ts';
import { NEW_VERSION, type ServedPackage } from './update-package.ts';

/** Devices that a manual deployment picks by hand: the one that must go back among them. */
const PICKED = 4;

export function deploymentFor(
  strategy: RolloutStrategy,
  devices: SandboxDevice[],
  served: ServedPackage,
): CreateDeploymentRequest {
  return {
    deployment_name: `Firmware Update ${NEW_VERSION}`,
    target_version: NEW_VERSION,
    rollout_strategy: strategy,
    ...(strategy === 'canary' && { rollout_percentage: 25 }),
    ...(strategy === 'manual'
      ? { device_ids: pickByHand(devices) }
      : {
          device_filters: {
            device_type: 'raspberry_pi',
            current_version: NEW_VERSION,
            version_operator: '!=',
          },
        }),
    update_package_url: served.url,
    checksum: served.checksum,
    release_notes: 'Bug fixes and performance improvements',
  };
}

function pickByHand(devices: SandboxDevice[]): string[] {
  const weak = devices.filter((device) => device.sensorBoard === 'revision-1');
  const others = devices.filter((device) => device.sensorBoard !== 'revision-1');
  return [...weak, ...others].slice(0, PICKED).map((device) => device.id);
}
