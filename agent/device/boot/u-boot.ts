import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BootAdapter, BootFailure, type BootTarget } from './boot-adapter.ts';
import { requireTool, requireWritable, runTool } from './boot-tool.ts';

/** U-Boot's own default for a `bootlimit` that is not set is no limit, which would never return. */
const DEFAULT_BOOT_LIMIT = 3;
/** Tells a commit from a return to the old system, which both set `upgrade_available` to 0. */
const COMMITTED = 'ota_committed';

/**
 * U-Boot's boot counting: while `upgrade_available` is 1, U-Boot counts starts in `bootcount`; past `bootlimit`
 * it runs `altbootcmd`, which has to start the old system and to set `upgrade_available` to 0.
 */
export class UBootAdapter implements BootAdapter {
  readonly name = 'u-boot';
  readonly rebootCommand = null;

  /** @param configFile where the environment is, as `fw_setenv -c` reads it */
  constructor(private readonly configFile: string) {}

  async check(): Promise<void> {
    await requireTool('fw_printenv', 'libubootenv-tool');
    await requireTool('fw_setenv', 'libubootenv-tool');
    for (const device of await this.#devices()) {
      await requireWritable(device, 'the U-Boot environment');
    }
    const limit = Number((await this.#read()).get('bootlimit'));
    if (!(limit >= 1)) {
      throw new BootFailure(
        'bootlimit is not set in the U-Boot environment: U-Boot would start a broken system for ever',
      );
    }
  }

  /** `NAME=VALUE` names a variable that `bootcmd` reads, and what it has to be for the new system. */
  select(wanted: string): Promise<BootTarget> {
    return Promise.resolve(wanted.includes('=') ? { new: wanted } : {});
  }

  /** Switches to the new system by the same write that puts it on trial. */
  async arm(target: BootTarget): Promise<void> {
    const [, name, value] = /^([^=]+)=(.*)$/.exec(target.new ?? '') ?? [];
    await this.#set({
      ...(name !== undefined && { [name]: value ?? '' }),
      [COMMITTED]: '',
      bootcount: '0',
      upgrade_available: '1',
    });
  }

  /** `altbootcmd` has set `upgrade_available` to 0 when the old system runs, and so has a commit. */
  async bootedNew(): Promise<boolean> {
    return runsNew(await this.#read());
  }

  async commit(): Promise<void> {
    await this.#set({ [COMMITTED]: '1', bootcount: '0', upgrade_available: '0' });
  }

  /** Makes U-Boot believe that the new system has used up its starts, so that `altbootcmd` runs. */
  async revert(): Promise<void> {
    const environment = await this.#read();
    if (!runsNew(environment)) return;
    const limit = Number(environment.get('bootlimit')) || DEFAULT_BOOT_LIMIT;
    await this.#set({ [COMMITTED]: '', bootcount: String(limit + 1), upgrade_available: '1' });
  }

  describe(): string {
    return 'U-Boot starts the old system after bootlimit starts without a commit. A kernel that hangs needs a watchdog to start again.';
  }

  async #read(): Promise<Map<string, string>> {
    const output = await runTool('fw_printenv', ['-c', this.configFile]);
    return new Map(
      output.split('\n').flatMap((line) => {
        const equals = line.indexOf('=');
        return equals < 0 ? [] : [[line.slice(0, equals), line.slice(equals + 1)] as const];
      }),
    );
  }

  /** All in one write, so that no power cut comes between two of them. An empty value removes the variable. */
  async #set(variables: Record<string, string>): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'ota-agent-'));
    try {
      const script = join(folder, 'environment');
      const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
      await writeFile(script, lines.join(''));
      await runTool('fw_setenv', ['-c', this.configFile, '-s', script]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** First field of each line of fw_env.config. */
  async #devices(): Promise<string[]> {
    const text = await readFile(this.configFile, 'utf8').catch((error: unknown) => {
      throw new BootFailure(`${this.configFile} cannot be read: ${(error as Error).message}`);
    });
    const lines = text.split('\n').filter((line) => /^\s*[^\s#]/.test(line));
    return lines.map((line) => line.trim().split(/\s+/)[0] ?? '');
  }
}

function runsNew(environment: Map<string, string>): boolean {
  return environment.get('upgrade_available') === '1' || environment.get(COMMITTED) === '1';
}
