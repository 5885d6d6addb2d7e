/** Measures the agent's memory while it installs a package of 500 MB. */
import { execFile } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, open, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { sha256 } from '../../reboot/update-package.ts';
import { type Figure, absoluteFigure } from '../figure.ts';
import { type BenchServer, type Package, startDevice } from './device.ts';
import { memoryOf, peakOf } from '../processes.ts';

const FILES = 4;
const FILE_BYTES = 125_000_000;
/** Longer than it takes until memory is at rest. */
const POLL_SECONDS = 15;
const PIECE_BYTES = 1_000_000;
const INSTALL = '#!/bin/sh\nset -e\ncp data/* "$OTA_ROOT/app/"\n';

export async function installLargePackage(
  executable: string,
  folder: string,
  server: BenchServer,
): Promise<Figure[]> {
  const made = await makePackage(path.join(folder, 'package'));
  const device = path.join(folder, 'large');
  await mkdir(path.join(device, 'app'), { recursive: true });
  // What is installed is as large: the snapshot copies it.
  for (let index = 0; index < FILES; index++) await fill(path.join(device, 'app', `${index}`));
  server.pollAfterSeconds = POLL_SECONDS;
  const { agent, stop } = await startDevice(executable, device, server, {
    snapshot_paths: ['/app'],
    poll: { min_seconds: POLL_SECONDS },
    // Their watch takes a minute and no memory.
    health: { system_checks: false },
    download: { allow_insecure_loopback: true },
  });
  try {
    const { resident: atRest } = await memoryOf(agent);
    server.offered = made;
    await once(server.events, 'poll');
    const startedAt = performance.now();
    await completion(server);
    return [
      absoluteFigure(
        'agent, peak memory above rest while it installs 500 MB',
        (await peakOf(agent)) - atRest,
        'MB',
        { below: 40 },
      ),
      absoluteFigure(
        'agent, download and installation of 500 MB',
        (performance.now() - startedAt) / 1000,
        's',
        { below: 120 },
      ),
    ];
  } finally {
    server.offered = null;
    await stop();
  }
}

async function completion(server: BenchServer): Promise<void> {
  for (;;) {
    const [report] = (await once(server.events, 'report')) as [
      { status: string; error_message?: string },
    ];
    if (report.status === 'completed') return;
    if (report.status === 'failed' || report.status === 'rolled_back') {
      throw new Error(`the package was not installed: ${report.error_message}`);
    }
  }
}

async function makePackage(folder: string): Promise<Package> {
  const content = path.join(folder, 'content');
  const file = path.join(folder, 'package.tar.gz');
  await mkdir(path.join(content, 'data'), { recursive: true });
  await writeFile(path.join(content, 'install.sh'), INSTALL, { mode: 0o755 });
  for (let index = 0; index < FILES; index++) await fill(path.join(content, 'data', `${index}`));
  // Random bytes do not get smaller: a higher level would only take longer.
  const compress = '--use-compress-program=gzip -1';
  await promisify(execFile)('tar', [compress, '-cf', file, '-C', content, 'install.sh', 'data']);
  return { file, sha256: await sha256(file) };
}

async function fill(file: string): Promise<void> {
  const handle = await open(file, 'w');
  const piece = Buffer.alloc(PIECE_BYTES);
  try {
    for (let done = 0; done < FILE_BYTES; done += PIECE_BYTES) {
      await handle.write(randomFillSync(piece));
    }
  } finally {
    await handle.close();
  }
}
