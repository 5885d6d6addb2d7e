/** Creates the fleet and the deployments that the screenshots show. */
import type { Knex } from 'knex';
import type {
  CreatedDeployment,
  CreateDeploymentRequest,
} from '../../backend/contract/admin-api.ts';
import { waitFor } from '../wait-for.ts';
import { registerDevices } from '../fleet/registration.ts';
import { DeviceClient } from '../fleet/device-client.ts';

const CHECKSUM = 'sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03';

const INSTALL_LOG = `Installing update v2.1.0...
backup: /usr/local/bin/edge_agent.py -> edge_agent.py.backup
copy: edge_agent.py -> /usr/local/bin/edge_agent.py
copy: firmware/kernel.img -> /boot/firmware/kernel.img
cp: error writing '/boot/firmware/kernel.img': No space left on device
install.sh exited with status 1
`;

export interface Scenes {
  /** A canary whose first batch has finished. One device failed and uploaded a log. */
  canary: CreatedDeployment;
  /** Name of that device. */
  failedDevice: string;
  /** A rolling deployment whose second batch is updating. */
  rolling: CreatedDeployment;
  /** Name of a device of that batch that is restarting. */
  rebootingDevice: string;
  /** A manual deployment, not started. */
  pending: CreatedDeployment;
  /** Paused by the failure threshold. */
  paused: CreatedDeployment;
  completed: CreatedDeployment;
  cancelled: CreatedDeployment;
  /** Finished with one failed device, for which a rollback is requested. */
  failed: CreatedDeployment;
  /** A device with updates of every result, that waits for the resume of a paused deployment. */
  device: DeviceClient;
  /** Without any deployment. */
  idleDevice: DeviceClient;
  /** Removed from Ops-Center after its update. */
  removedDevice: DeviceClient;
}

export class SceneBuilder {
  constructor(
    private readonly url: string,
    private readonly adminToken: string,
    private readonly knex: Knex,
  ) {}

  async build(): Promise<Scenes> {
    const pumps = await this.#fleet('pump', 'pump_controller', 3, () => 'v1.0.4');
    const { device, removedDevice } = await this.#history(pumps);
    const pis = await this.#fleet('pi', 'raspberry_pi', 45, (n) =>
      n % 9 === 0 ? 'v1.9.3' : 'v2.0.0',
    );
    const jetsons = await this.#fleet('jetson', 'nvidia_jetson', 60, () => 'v3.1.4');
    const gateways = await this.#fleet('gateway', 'x86_gateway', 24, () => 'v1.8.0');
    // Its version cannot be compared. No deployment here selects it.
    const [idleDevice] = await this.#fleet(
      'lab',
      'x86_gateway',
      1,
      () => 'nightly',
      () => false,
    );
    const sensors = await this.#fleet(
      'sensor',
      'arm_sensor',
      30,
      () => 'v0.9.2',
      (n) => n % 6 !== 0,
    );
    const completed = await this.#completed(sensors);
    const failed = await this.#failed(sensors.slice(0, 4));
    const cancelled = await this.#cancelled(gateways);
    const paused = await this.#pausedByThreshold(gateways);
    const { rolling, rebootingDevice } = await this.#rolling(jetsons);
    await this.#reportProtection(pis);
    const { canary, failedDevice } = await this.#canary(pis);
    const pending = await this.#create({
      deployment_name: 'Pilot on the roof unit',
      target_version: 'v2.2.0-rc.1',
      rollout_strategy: 'manual',
      device_ids: pis.slice(40, 41).map((device) => device.id),
    });
    if (!idleDevice) throw new Error('There is no device without a deployment.');
    return {
      canary,
      device,
      idleDevice,
      removedDevice,
      failedDevice,
      rolling,
      rebootingDevice,
      pending,
      paused,
      completed,
      cancelled,
      failed,
    };
  }

  /** Updates of the first of the devices. The last one is removed after its update. */
  async #history(devices: DeviceClient[]) {
    const [device, , removedDevice] = devices;
    if (!device || !removedDevice) throw new Error('There are too few devices.');
    const begin = async (version: string, targets: DeviceClient[]) => {
      const deployment = await this.#create({
        deployment_name: `Pump controller ${version.slice(1)}`,
        target_version: version,
        rollout_strategy: 'manual',
        device_ids: targets.map(({ id }) => id),
        policy: { failure_threshold_percent: null },
      });
      await this.#act(deployment, 'start');
      await this.#offered(deployment, targets, targets.length);
      return deployment;
    };
    const first = await begin('v1.1.0', [device, removedDevice]);
    await this.#complete(first, device);
    await this.#complete(first, removedDevice);
    await this.knex('edge_devices').where({ id: removedDevice.id }).delete();

    const second = await begin('v1.2.0', [device]);
    await device.report(second.deployment_id, 'downloading', {
      status: 'failed',
      failure_cause: 'download',
      error_message: 'Download failed: the connection was lost 5 times',
    });
    await this.#act(second, 'retry');
    await this.#offered(second, [device], 1);
    await device.report(second.deployment_id, 'downloading', 'installing', 'verifying');
    await device.sendLog(second.deployment_id, { attempt: 2, chunk: INSTALL_LOG, offset: 0 });
    await device.report(second.deployment_id, {
      status: 'rolled_back',
      failure_cause: 'health',
      error_message: 'Health check failed: pump.service is not running',
      installed_version: 'v1.1.0',
    });

    const third = await begin('v1.2.1', [device]);
    await this.#complete(third, device);
    await this.#post(`/deployments/${third.deployment_id}/devices/${device.id}/rollback`, {});
    await device.checkUpdate('v1.2.1');
    await device.report(third.deployment_id, {
      status: 'rolled_back',
      installed_version: 'v1.1.0',
    });

    const cancelled = await begin('v1.3.0-rc.1', [device]);
    await this.#act(cancelled, 'cancel');
    const waiting = await begin('v1.3.0', devices.slice(0, 2));
    await this.#act(waiting, 'pause');

    await device.checkUpdate('v1.1.0', {
      protection: 'files_and_boot',
      components: '{"pump-controller":"v1.1.0","valve-driver":"v0.9.14","site-config":"v7"}',
    });
    await this.knex('edge_devices')
      .where({ id: device.id })
      .update({
        metadata: JSON.stringify({
          site: 'Berlin, plant 2',
          hall: 3,
          line: 'B',
          serial: 'PC-20-00117',
          outdoor: false,
        }),
      });
    return { device, removedDevice };
  }

  async #canary(devices: DeviceClient[]) {
    const canary = await this.#create({
      deployment_name: 'Firmware Update v2.1.0',
      target_version: 'v2.1.0',
      rollout_strategy: 'canary',
      rollout_percentage: 20,
      device_filters: {
        device_type: 'raspberry_pi',
        current_version: 'v2.1.0',
        version_operator: '!=',
        status: 'online',
      },
    });
    await this.#act(canary, 'start');
    const offered = await this.#offered(canary, devices, 9);
    const [failing, ...others] = offered;
    if (!failing) throw new Error('No device was offered the canary.');
    await Promise.all(others.map((device) => this.#complete(canary, device)));
    await failing.report(canary.deployment_id, 'downloading', 'installing');
    await failing.sendLog(canary.deployment_id, { attempt: 1, chunk: INSTALL_LOG, offset: 0 });
    await failing.report(canary.deployment_id, {
      status: 'failed',
      failure_cause: 'space',
      error_message:
        "install.sh exited with status 1: cp: error writing '/boot/firmware/kernel.img': No space left on device",
    });
    // It runs the new version although it failed, so a rollback is possible.
    await failing.checkUpdate('v2.1.0');
    return { canary, failedDevice: failing.name };
  }

  /** Of ten devices, nothing brings two back, and one has not reported it. */
  async #reportProtection(devices: DeviceClient[]): Promise<void> {
    await Promise.all(
      devices.map(async (device, index) => {
        if (index % 10 === 0) return;
        await device.checkUpdate(undefined, {
          protection: index % 10 < 3 ? 'none' : 'files_and_boot',
        });
      }),
    );
  }

  async #rolling(devices: DeviceClient[]) {
    const rolling = await this.#create({
      deployment_name: 'Jetson vision stack 3.2',
      target_version: 'v3.2.0',
      rollout_strategy: 'rolling',
      device_filters: { device_type: 'nvidia_jetson', status: 'online' },
    });
    await this.#act(rolling, 'start');
    const first = await this.#offered(rolling, devices, 12);
    await Promise.all(
      first.map((device, index) =>
        index === 4
          ? device.report(rolling.deployment_id, 'downloading', 'installing', {
              status: 'rolled_back',
              error_message: 'Health check failed: camera pipeline did not start within 20 s',
              installed_version: 'v3.1.4',
            })
          : this.#complete(rolling, device),
      ),
    );
    const waiting = devices.filter((device) => !first.includes(device));
    const second = await this.#offered(rolling, waiting, 12);
    await Promise.all(
      second.map((device, index) => {
        if (index < 4) return this.#complete(rolling, device);
        if (index === 4) {
          return device.report(rolling.deployment_id, 'downloading', 'installing', {
            status: 'verifying',
            activity: 'rebooting',
          });
        }
        if (index === 5)
          return device.report(rolling.deployment_id, 'downloading', 'installing', 'verifying');
        if (index < 9) {
          return device.report(rolling.deployment_id, 'downloading', {
            status: 'installing',
            progress: 30 + index * 5,
          });
        }
        if (index < 11) {
          return device.report(rolling.deployment_id, {
            status: 'downloading',
            progress: 8 * index,
          });
        }
        return Promise.resolve();
      }),
    );
    const rebooting = second[4] as DeviceClient;
    await rebooting.checkUpdate('v3.1.4', {
      protection: 'slots',
      components: '{"vision-stack":"v3.1.4","camera-firmware":"v1.12.0","site-config":"v7"}',
    });
    return { rolling, rebootingDevice: rebooting.name };
  }

  async #completed(devices: DeviceClient[]): Promise<CreatedDeployment> {
    const deployment = await this.#create({
      deployment_name: 'Sensor calibration tables',
      target_version: 'v1.0.0',
      rollout_strategy: 'immediate',
      device_filters: { device_type: 'arm_sensor' },
    });
    await this.#act(deployment, 'start');
    const offered = await this.#offered(deployment, devices, devices.length);
    await Promise.all(offered.map((device) => this.#complete(deployment, device)));
    return deployment;
  }

  async #failed(devices: DeviceClient[]): Promise<CreatedDeployment> {
    const deployment = await this.#create({
      deployment_name: 'Sensor clock fix',
      target_version: 'v1.0.1',
      rollout_strategy: 'manual',
      device_ids: devices.map((device) => device.id),
    });
    await this.#act(deployment, 'start');
    const [failing, ...others] = await this.#offered(deployment, devices, devices.length);
    await Promise.all(others.map((device) => this.#complete(deployment, device)));
    await failing?.report(deployment.deployment_id, 'downloading', {
      status: 'failed',
      error_message: 'Download failed: the connection was lost 5 times',
    });
    await this.#post(
      `/deployments/${deployment.deployment_id}/devices/${failing?.id ?? ''}/rollback`,
      { previous_version: 'v1.0.0' },
    );
    return deployment;
  }

  async #cancelled(devices: DeviceClient[]): Promise<CreatedDeployment> {
    const deployment = await this.#create({
      deployment_name: 'Gateway kernel 6.12 (first try)',
      target_version: 'v1.8.5',
      rollout_strategy: 'canary',
      rollout_percentage: 10,
      device_filters: { device_type: 'x86_gateway', status: 'online' },
    });
    await this.#act(deployment, 'start');
    const offered = await this.#offered(deployment, devices, 2);
    await Promise.all(offered.map((device) => this.#complete(deployment, device)));
    await this.#act(deployment, 'cancel');
    return deployment;
  }

  async #pausedByThreshold(devices: DeviceClient[]): Promise<CreatedDeployment> {
    const deployment = await this.#create({
      deployment_name: 'Urgent security patch',
      target_version: 'v1.9.0',
      rollout_strategy: 'immediate',
      device_filters: { device_type: 'x86_gateway', status: 'online' },
    });
    await this.#act(deployment, 'start');
    const offered = await this.#offered(deployment, devices, 24);
    for (const [index, device] of offered.slice(0, 7).entries()) {
      if (index < 4) await this.#complete(deployment, device);
      else {
        await device.report(deployment.deployment_id, 'downloading', {
          status: 'failed',
          error_message: 'Checksum mismatch: the downloaded package differs from the announced one',
        });
      }
    }
    return deployment;
  }

  async #fleet(
    prefix: string,
    type: string,
    count: number,
    version: (n: number) => string,
    online: (n: number) => boolean = () => true,
  ): Promise<DeviceClient[]> {
    const devices = await registerDevices(
      this.url,
      this.adminToken,
      Array.from({ length: count }, (_, index) => ({
        name: `${prefix}-${String(index + 1).padStart(3, '0')}`,
        type,
        version: version(index + 1),
        online: online(index + 1),
      })),
    );
    const silent = devices.filter((_, index) => !online(index + 1)).map(({ id }) => id);
    // As the host does after missing heartbeats.
    await this.knex('edge_devices').whereIn('id', silent).update({ status: 'offline' });
    return devices.map((device) => new DeviceClient(this.url, device));
  }

  async #complete(deployment: CreatedDeployment, device: DeviceClient): Promise<void> {
    await device.report(
      deployment.deployment_id,
      'downloading',
      'installing',
      'verifying',
      'completed',
    );
  }

  /** Lets the devices poll until `count` of them have been offered the deployment. */
  async #offered(
    deployment: CreatedDeployment,
    devices: readonly DeviceClient[],
    count: number,
  ): Promise<DeviceClient[]> {
    return waitFor(
      async () => {
        const answers = await Promise.all(devices.map((device) => device.checkUpdate()));
        const offered = devices.filter((_, index) => {
          const answer = answers[index];
          return answer?.update_available && answer.deployment_id === deployment.deployment_id;
        });
        return offered.length >= count ? offered : null;
      },
      {
        // The server allows 120 requests per device and minute.
        every: 500,
        timeout: 30_000,
        describe: `${count} devices are offered ${deployment.deployment_name}`,
      },
    );
  }

  #create(
    request: Omit<CreateDeploymentRequest, 'update_package_url' | 'checksum'>,
  ): Promise<CreatedDeployment> {
    return this.#post('/deployments', {
      update_package_url: `https://cdn.example.com/updates/${request.target_version}.tar.gz`,
      checksum: CHECKSUM,
      release_notes: 'Bug fixes and performance improvements',
      ...request,
    });
  }

  async #act(deployment: CreatedDeployment, action: string): Promise<void> {
    await this.#post(`/deployments/${deployment.deployment_id}/${action}`, {});
  }

  async #post<T>(path: string, body: object): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/admin/ota${path}`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${this.adminToken}`,
        'Content-Type': 'application/json',
      },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`POST ${path} → ${text}`);
    return JSON.parse(text) as T;
  }
}
