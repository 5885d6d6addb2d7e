import { type BootAdapter, BootFailure, type BootTarget } from './boot-adapter.ts';
import { runTool } from './boot-tool.ts';

export interface BootCommands {
  arm: string;
  commit: string;
  revert: string;
  /** Exit code 0: the new system runs; 1: the old one does. Left out: the new one is assumed. */
  booted_new?: string;
  timeout_seconds: number;
}

/** The device's own commands, for boot loaders that have no adapter. They run in bash. */
export class CommandAdapter implements BootAdapter {
  readonly name = 'command';
  readonly rebootCommand = null;

  constructor(private readonly commands: BootCommands) {}

  /** Only running them would show whether they work, and that changes the device. */
  async check(): Promise<void> {}

  select(wanted: string): Promise<BootTarget> {
    return Promise.resolve(wanted === '' ? {} : { new: wanted });
  }

  async arm(target: BootTarget): Promise<void> {
    await this.#run(this.commands.arm, target);
  }

  async bootedNew(target: BootTarget): Promise<boolean> {
    const { booted_new: command } = this.commands;
    if (command === undefined) return true;
    const marked = `{ ${command}\n}; code=$?; echo "exit code: $code"; [ "$code" -le 1 ]`;
    const output = await this.#run(marked, target);
    return output.trimEnd().endsWith('exit code: 0');
  }

  async commit(target: BootTarget): Promise<void> {
    await this.#run(this.commands.commit, target);
  }

  async revert(target: BootTarget): Promise<void> {
    await this.#run(this.commands.revert, target);
  }

  describe(): string {
    return 'Whether a system that does not start is replaced depends on the configured commands.';
  }

  async #run(command: string, target: BootTarget): Promise<string> {
    try {
      return await runTool('bash', ['-c', command], {
        env: { OTA_BOOT_NEW: target.new ?? '' },
        timeoutMs: this.commands.timeout_seconds * 1000,
      });
    } catch (error) {
      if (!(error instanceof BootFailure)) throw error;
      throw new BootFailure(error.message.replace(/^bash -c /, 'boot.commands: '));
    }
  }
}
