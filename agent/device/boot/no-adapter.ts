import type { BootAdapter, BootTarget } from './boot-adapter.ts';

/** No boot loader takes part: a reboot starts whatever `install.sh` put in place. */
export class NoAdapter implements BootAdapter {
  readonly name = 'none';
  readonly rebootCommand = null;

  async check(): Promise<void> {}

  select(): Promise<BootTarget> {
    return Promise.resolve({});
  }

  async arm(): Promise<void> {}

  bootedNew(): Promise<boolean> {
    return Promise.resolve(true);
  }

  async commit(): Promise<void> {}

  async revert(): Promise<void> {}

  describe(): string {
    return 'Files are restored when the new system starts and is not healthy. One that does not start stays down: configure boot.adapter.';
  }
}
