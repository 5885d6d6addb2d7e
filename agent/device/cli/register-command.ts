/** `ota-agent register`: registers the device at Ops-Center and stores its credentials. */
import { arch, hostname, platform, release } from 'node:os';
import { UsageError } from '../../kernel/errors.ts';
import { EXIT, type ExitCode } from '../../kernel/exit-codes.ts';
import { createBootAdapter } from '../boot/create-boot-adapter.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { createHttpClient } from '../network/http-client.ts';
import { registerDevice } from '../network/server-api.ts';
import { readCredentials, writeCredentials } from '../state/credentials.ts';
import { readCurrentVersion, writeCurrentVersion } from '../state/current-version.ts';
import { readProtection } from '../updates/protection.ts';
import { findHardwareId } from './hardware-id.ts';
import { serverOf } from './server-option.ts';

export interface RegisterOptions {
  server?: string;
  token: string;
  hardwareId?: string;
  name?: string;
  firmwareVersion?: string;
  force?: boolean;
}

/**
 * @throws {UsageError} when the device is registered already
 * @throws {StepFailure} when the server refuses
 * @throws {ServerUnreachable}
 */
export async function register(config: AgentConfig, options: RegisterOptions): Promise<ExitCode> {
  const server = serverOf(config, options.server);
  const earlier = await readCredentials(config.state_dir).catch(() => null);
  if (earlier && !options.force) {
    throw new UsageError(
      `This device is registered already at ${earlier.server_url} as ${earlier.device_id}; --force replaces that.`,
      EXIT.usage,
    );
  }
  if (options.firmwareVersion) await writeCurrentVersion(config, options.firmwareVersion);
  const version = (await readCurrentVersion(config)) ?? 'unknown';
  const adapter = createBootAdapter(config.boot, config.reboot.max_boots);
  const http = await createHttpClient(config);
  try {
    const credentials = await registerDevice(http, server, {
      hardware_id: options.hardwareId ?? (await findHardwareId()),
      registration_token: options.token,
      firmware_version: version,
      metadata: {
        name: options.name ?? hostname(),
        hostname: hostname(),
        platform: platform(),
        architecture: arch(),
        kernel: release(),
        protection: await readProtection(config, adapter),
      },
    });
    await writeCredentials(config.state_dir, credentials);
    console.log(
      `Registered at ${server} as ${[credentials.device_name, credentials.device_id].filter(Boolean).join(', ')}.`,
    );
    return EXIT.ok;
  } finally {
    http.close();
  }
}
