/**
 * A service manager for one device of a test: `systemctl` and `systemd-run` as programs that do to plain
 * processes what the real ones do to units, by the lines of the unit's file below `OTA_ROOT`.
 */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Starts in a session of its own, with `ExecStart` and `Environment` of the unit alone. */
const SYSTEMCTL = `#!/bin/bash
set -eu
echo "$*" >> "$OTA_ROOT/run/systemctl.log"
verb="$1"
unit="\${!#}"
file="$OTA_ROOT/etc/systemd/system/$unit.service"
pid="$OTA_ROOT/run/$unit.pid"
case "$verb" in
  start)
    command="$(sed -n 's/^ExecStart=//p' "$file")"
    environment="$(sed -n 's/^Environment=//p' "$file")"
    setsid env -i PATH="$PATH" "$environment" $command \\
      < /dev/null >> "$OTA_ROOT/run/$unit.log" 2>&1 &
    echo $! > "$pid"
    ;;
  stop) kill "$(cat "$pid")" ;;
  enable) touch "$OTA_ROOT/run/$unit.enabled" ;;
  disable) rm -f "$OTA_ROOT/run/$unit.enabled" ;;
  daemon-reload) ;;
  *) exit 2 ;;
esac
`;

const SYSTEMD_RUN = `#!/bin/bash
set -eu
[ "$1" = --collect ]
shift
setsid "$@" < /dev/null > /dev/null 2>&1 &
`;

export class ServiceManager {
  private constructor(
    readonly root: string,
    /** Folder of the programs. */
    readonly programs: string,
  ) {}

  static async install(root: string): Promise<ServiceManager> {
    const manager = new ServiceManager(root, path.join(root, 'bin'));
    await mkdir(manager.programs, { recursive: true });
    await mkdir(path.join(root, 'run'));
    for (const [name, text] of Object.entries({
      systemctl: SYSTEMCTL,
      'systemd-run': SYSTEMD_RUN,
    })) {
      await writeFile(path.join(manager.programs, name), text);
      await chmod(path.join(manager.programs, name), 0o755);
    }
    return manager;
  }

  /** A unit that runs already. */
  async hasStarted(unit: string, pid: number): Promise<void> {
    await writeFile(path.join(this.root, `run/${unit}.pid`), `${pid}\n`);
    await writeFile(path.join(this.root, `run/${unit}.enabled`), '');
  }

  /** Whether the unit comes back after the device was switched off. */
  async isEnabled(unit: string): Promise<boolean> {
    return readFile(path.join(this.root, `run/${unit}.enabled`)).then(
      () => true,
      () => false,
    );
  }

  /** Process id of the unit, dead or alive; `null`: never started. */
  async processOf(unit: string): Promise<number | null> {
    const text = await readFile(path.join(this.root, `run/${unit}.pid`), 'utf8').catch(() => null);
    return text === null ? null : Number(text);
  }

  async isActive(unit: string): Promise<boolean> {
    const pid = await this.processOf(unit);
    if (pid === null) return false;
    // A process that nobody has waited for yet has no command line any more.
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return command !== '';
  }

  /** What the unit wrote. */
  log(unit: string): Promise<string> {
    return readFile(path.join(this.root, `run/${unit}.log`), 'utf8').catch(() => '');
  }

  /** Ends what still runs, with all it started. */
  async endAll(...units: string[]): Promise<void> {
    for (const unit of units) {
      const pid = await this.processOf(unit);
      try {
        if (pid !== null) process.kill(-pid, 'SIGKILL');
      } catch {
        // Ended already.
      }
    }
  }
}
