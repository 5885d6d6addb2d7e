/** The deployment that the demo creates, by strategy. */
import type { CreateDeploymentRequest } from '../../backend/contract/admin-api.ts';
import type { RolloutStrategy } from '../../backend/contract/states.ts';
import type { SandboxDevice } from './sandbox-device.ts';
import { NEW_VERSION, type ServedPackage } from './update-package.ts';

/** Devices in a manual deployment, including the incompatible one. */
const MANUAL_DEVICES = 4;

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
      ? { device_ids: pickDevices(devices) }
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

function pickDevices(devices: SandboxDevice[]): string[] {
  const incompatible = devices.filter((device) => device.sensorBoard === 'revision-1');
  const compatible = devices.filter((device) => device.sensorBoard !== 'revision-1');
  return [...incompatible, ...compatible].slice(0, MANUAL_DEVICES).map((device) => device.id);
}
