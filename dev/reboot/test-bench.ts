/** A virtual machine with the shipped agent, registered at an Ops-Center, and the updates that it gets. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import type { TargetView } from '../../backend/contract/admin-api.ts';
import { RolloutWatch } from '../demo/rollout-watch.ts';
import { buildExecutables } from '../shipping/executable.ts';
import type { CleanupSteps } from './cleanup-steps.ts';
import { type Partition, buildDisk, offsetOf, writeDeliveredData } from './disk.ts';
import { checkFileSystem } from './file-system.ts';
import { type KernelPair, twoKernels } from './kernels.ts';
import { Medium } from './medium.ts';
import { type OpsCenter, startOpsCenter } from './ops-center.ts';
import { type SystemVersion, buildSystemImage } from './system-image.ts';
import { packUpdate, sha256 } from './update-package.ts';
import { VirtualMachine } from './virtual-machine.ts';

const FIRST_VERSION = 'v2.0.0';
/** The file systems that the device writes to. */
const WRITTEN: readonly Partition[] = ['boot', 'data'];

/** A version, and what the slot contains that has it. */
export interface BuiltVersion extends SystemVersion {
  imageSha256: string;
}

export interface RunningUpdate {
  readonly version: BuiltVersion;
  /** Resolves with the target as soon as it has finished. */
  finished(): Promise<TargetView>;
}

export class TestBench {
  #deployments = 0;

  private constructor(
    private readonly folder: string,
    private readonly cleanup: CleanupSteps,
    private readonly opsCenter: OpsCenter,
    private readonly deviceId: string,
    private readonly agent: string,
    private readonly medium: Medium,
    readonly kernels: KernelPair,
    readonly machine: VirtualMachine,
    /** What the device was delivered with. */
    readonly delivered: BuiltVersion,
  ) {}

  /**
   * Resolves when the device has started for the first time and has registered itself. It runs the older
   * kernel in slot A.
   * @param folder for everything; `console.log` in it is what the machine has printed
   */
  static async start(folder: string, cleanup: CleanupSteps): Promise<TestBench> {
    const kernels = await twoKernels();
    const executables = path.join(folder, 'executables');
    await mkdir(executables);
    const [agent] = (await buildExecutables(['x64'], executables)) as [string];
    const opsCenter = await startOpsCenter(folder, cleanup);
    const device = await opsCenter.admin.createDevice('virtual-machine');

    const work = path.join(folder, 'work');
    const system = path.join(folder, 'delivered.img');
    const delivered = { version: FIRST_VERSION, kernel: kernels.old };
    await buildSystemImage(delivered, agent, work, system);
    const data = path.join(folder, 'data');
    await writeDeliveredData(data, {
      agent,
      authority: opsCenter.certificate.file,
      config: agentConfig(opsCenter.url),
      registrationToken: device.registration_token,
      version: FIRST_VERSION,
    });
    const medium = new Medium(path.join(folder, 'disk'));
    await buildDisk(medium.file, { system, data }, work);
    const machine = new VirtualMachine(medium, folder);
    cleanup.add(() => machine.cutPower());
    await machine.switchOn();
    await machine.untilReady();
    return new TestBench(
      folder,
      cleanup,
      opsCenter,
      device.device_id,
      agent,
      medium,
      kernels,
      machine,
      { ...delivered, imageSha256: await sha256(system) },
    );
  }

  /** Builds the version and its package, and starts a deployment of it. */
  async deploy(system: SystemVersion): Promise<RunningUpdate> {
    const { version } = system;
    const { admin, packages, url } = this.opsCenter;
    const folder = path.join(this.folder, 'package');
    const image = path.join(folder, 'system.img');
    await mkdir(folder);
    await buildSystemImage(system, this.agent, path.join(this.folder, 'work'), image);
    const imageSha256 = await sha256(image);
    const archive = `${version}.tar.gz`;
    const checksum = await packUpdate(version, folder, path.join(packages, archive));
    const { deployment_id } = await admin.create({
      deployment_name: `${++this.#deployments}: ${version}`,
      target_version: version,
      rollout_strategy: 'immediate',
      device_ids: [this.deviceId],
      update_package_url: `${url}/packages/${archive}`,
      checksum,
    });
    const watch = new RolloutWatch(admin, deployment_id);
    await watch.start();
    this.cleanup.add(() => Promise.resolve(watch.stop()));
    await admin.start(deployment_id);
    return {
      version: { ...system, imageSha256 },
      finished: async () => {
        await watch.until(() => watch.hasFinished(this.deviceId));
        watch.stop();
        return watch.targets.get(this.deviceId)!;
      },
    };
  }

  /**
   * Shuts the device down and checks the file systems that it writes to.
   * @throws Error with what is wrong with them
   */
  async checkDisk(): Promise<void> {
    await this.machine.shutDown();
    for (const partition of WRITTEN) {
      await checkFileSystem(this.medium.file, offsetOf(partition));
    }
  }
}

/** Short intervals, so that nobody has to wait for them; otherwise as on a device. */
function agentConfig(url: string): object {
  return {
    server: { url },
    network: { ca_file: '/data/etc/authority.pem' },
    state_dir: '/data/ota-agent',
    poll: { interval_seconds: 1, min_seconds: 0.5 },
    reports: { retry_min_seconds: 0.5, retry_max_seconds: 5 },
    snapshot_paths: ['/data/pump'],
    boot: { adapter: 'grub' },
    reboot: { command: 'reboot' },
    health: {
      checks: [{ type: 'command', command: 'pump-self-test', retries: 1, interval_seconds: 0.5 }],
      passes_required: 2,
    },
  };
}
