import type { BootAdapter, BootAdapterName } from './boot-adapter.ts';
import { type BootCommands, CommandAdapter } from './command-adapter.ts';
import { GrubAdapter } from './grub.ts';
import { NoAdapter } from './no-adapter.ts';
import { RaspberryPiAdapter } from './raspberry-pi.ts';
import { RaucAdapter } from './rauc.ts';
import { SystemdBootAdapter } from './systemd-boot.ts';
import { UBootAdapter } from './u-boot.ts';

/** The section `boot` of the configuration. */
export interface BootConfig {
  adapter: BootAdapterName;
  /** For `u-boot`. */
  fw_env_config: string;
  /** For `grub`. */
  grub_environment: string;
  /** For `systemd-boot` and `raspberry-pi`. */
  partition: string;
  /** For `command`. */
  commands?: BootCommands;
}

/** @param maxBoots starts that a new system gets */
export function createBootAdapter(config: BootConfig, maxBoots: number): BootAdapter {
  switch (config.adapter) {
    case 'none':
      return new NoAdapter();
    case 'rauc':
      return new RaucAdapter();
    case 'u-boot':
      return new UBootAdapter(config.fw_env_config);
    case 'systemd-boot':
      return new SystemdBootAdapter(config.partition, maxBoots);
    case 'grub':
      return new GrubAdapter(config.grub_environment);
    case 'raspberry-pi':
      return new RaspberryPiAdapter(config.partition);
    case 'command':
      if (!config.commands) throw new Error('boot.commands is missing');
      return new CommandAdapter(config.commands);
  }
}
