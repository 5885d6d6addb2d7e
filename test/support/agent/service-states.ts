/**
 * What systemd says about the services of a device, as files: a `systemctl` for tests, where no systemd runs.
 * It prints what systemd 252 prints.
 */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sandbox } from './sandbox.ts';

const SYSTEMCTL = `#!/bin/bash
cd "$(dirname "$0")"
echo "$*" >> calls
case "$1" in
  list-units)
    while read -r unit; do printf '%s loaded failed failed %s\\n' "$unit" "A service"; done < failed
    ;;
  show)
    # A service that keeps failing has been restarted once more each time.
    while read -r unit; do
      echo "$unit" >> restarts
      printf 'Id=%s\\nNRestarts=%s\\n\\n' "$unit" "$(grep -cx "$unit" restarts)"
    done < flapping
    ;;
  restart) : > failed ;;
esac
exit 0
`;

export class ServiceStates {
  private constructor(private readonly folder: string) {}

  /** Puts a systemctl before all others of the device's agent. */
  static async install(device: Sandbox): Promise<ServiceStates> {
    const states = new ServiceStates(join(device.dir, 'systemd'));
    await mkdir(states.folder, { recursive: true });
    await states.fail([]);
    await states.flap([]);
    await writeFile(join(states.folder, 'systemctl'), SYSTEMCTL);
    await chmod(join(states.folder, 'systemctl'), 0o755);
    device.prefix = ['env', `PATH=${states.folder}:${process.env.PATH ?? ''}`, ...device.prefix];
    return states;
  }

  /** A line for `install.sh`: these units have failed from then on. */
  failing(...units: string[]): string {
    return `printf '%s\\n' ${units.join(' ')} > ${join(this.folder, 'failed')}`;
  }

  /** A line for `install.sh`: systemd restarts the unit again and again. */
  flapping(unit: string): string {
    return `echo ${unit} > ${join(this.folder, 'flapping')}`;
  }

  async fail(units: string[]): Promise<void> {
    await writeFile(join(this.folder, 'failed'), units.map((unit) => `${unit}\n`).join(''));
  }

  async flap(units: string[]): Promise<void> {
    await writeFile(join(this.folder, 'flapping'), units.map((unit) => `${unit}\n`).join(''));
  }

  /** Every call so far, one line each. */
  async calls(): Promise<string[]> {
    const text = await readFile(join(this.folder, 'calls'), 'utf8').catch(() => '');
    return text.split('\n').filter(Boolean);
  }
}
