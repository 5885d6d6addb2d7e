/** Builds and serves the package that the demo rolls out. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

import express from 'express';
import { create } from 'tar';

export const OLD_VERSION = 'v2.0.0';
export const NEW_VERSION = 'v2.1.0';

/** Folders that `install.sh` writes to, relative to the device's root. */
export const INSTALLED_PATHS = ['usr/local/bin', 'boot/firmware', 'etc/edge-agent'];

const INSTALL_SCRIPT = `#!/bin/bash
set -e

echo "Installing update $OTA_TARGET_VERSION over $OTA_PREVIOUS_VERSION..."

if [ -f "edge_agent.sh" ]; then
    cp edge_agent.sh "$OTA_ROOT/usr/local/bin/edge_agent.sh"
    chmod +x "$OTA_ROOT/usr/local/bin/edge_agent.sh"
fi

if [ -d "firmware" ]; then
    cp -r firmware/* "$OTA_ROOT/boot/firmware/"
fi

if [ -d "config" ]; then
    cp config/* "$OTA_ROOT/etc/edge-agent/"
fi

echo "Installation complete!"
`;

/**
 * The program that a device runs. From v2.1.0 on it needs the second revision of the sensor board. One device
 * of the demo has the first: the program fails its health check there, so the device must roll back.
 */
function edgeAgent(version: string): string {
  const needsNewBoard = version === NEW_VERSION;
  return `#!/bin/bash
# edge agent ${version}
board="$(cat "$OTA_ROOT/sys/sensor-board")"
${
  needsNewBoard
    ? `if [ "$board" = "revision-1" ]; then
    echo "edge agent ${version}: sensor board $board is not supported" >&2
    exit 1
fi`
    : '# every sensor board is supported'
}
echo "edge agent ${version} is up on $board"
`;
}

/** Files of a version, by path relative to the device's root. */
export function filesOf(version: string): Record<string, string> {
  return {
    'usr/local/bin/edge_agent.sh': edgeAgent(version),
    'boot/firmware/kernel.img': `kernel ${version}\n`.repeat(4_000),
    'boot/firmware/bootloader.bin': `bootloader ${version}\n`.repeat(500),
    'etc/edge-agent/default-config.json': `${JSON.stringify({ version, sample_seconds: 30 })}\n`,
  };
}

export interface ServedPackage {
  url: string;
  /** `sha256:<64 hex>` */
  checksum: string;
  bytes: number;
  close(): Promise<void>;
}

/** Builds the package of the new version and serves it on loopback, with support for ranges and ETags. */
export async function servePackage(folder: string): Promise<ServedPackage> {
  const archive = await packUpdate(folder);
  const content = await readFile(archive);
  const server = express()
    .use(express.static(path.dirname(archive)))
    .listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/${path.basename(archive)}`,
    checksum: `sha256:${createHash('sha256').update(content).digest('hex')}`,
    bytes: content.length,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function packUpdate(folder: string): Promise<string> {
  const content = path.join(folder, 'content');
  const files = filesOf(NEW_VERSION);
  const packed: Record<string, string | undefined> = {
    'install.sh': INSTALL_SCRIPT,
    'edge_agent.sh': files['usr/local/bin/edge_agent.sh'],
    'firmware/kernel.img': files['boot/firmware/kernel.img'],
    'firmware/bootloader.bin': files['boot/firmware/bootloader.bin'],
    'config/default-config.json': files['etc/edge-agent/default-config.json'],
  };
  for (const [name, text] of Object.entries(packed)) {
    await mkdir(path.dirname(path.join(content, name)), { recursive: true });
    await writeFile(path.join(content, name), text ?? '');
  }
  await chmod(path.join(content, 'install.sh'), 0o755);
  await mkdir(path.join(folder, 'served'));
  const archive = path.join(folder, 'served', `update-${NEW_VERSION}.tar.gz`);
  await create({ gzip: true, cwd: content, file: archive, portable: true }, [
    'install.sh',
    'edge_agent.sh',
    'firmware',
    'config',
  ]);
  return archive;
}
