/** Debian's nginx with a configuration file of docs/proxies. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { freePort } from '../../backend/server/postgres/free-port.ts';
import { serverAccount } from '../../backend/server/postgres/postgres-account.ts';
import { findProgram, NGINX } from '../../dev/programs.ts';
import { waitFor } from '../../dev/wait-for.ts';
import { makeCertificates } from './agent/certificates.ts';
import { ROOT } from './repository.ts';

export interface Nginx {
  /** `https://localhost:<port>` */
  url: string;
  /** The certificate authority to trust. */
  authority: string;
  stop(): Promise<void>;
}

export interface NginxPorts {
  platform: number;
  otaServer: number;
}

/**
 * Runs nginx as a process without privileges. Only ports and paths of the file are replaced.
 *
 * @param file in docs/proxies
 * @returns `null` if nginx is not installed
 */
export async function startNginx(file: string, ports: NginxPorts): Promise<Nginx | null> {
  const program = findProgram(NGINX);
  if (program === null) return null;
  const folder = await mkdtemp(path.join(tmpdir(), 'ops-center-nginx-'));
  const port = await freePort();
  const certificates = makeCertificates('localhost');
  const documented = await readFile(path.join(ROOT, 'docs/proxies', file), 'utf8');
  const adapted = replaceAll(documented, {
    'listen 80;': `listen 127.0.0.1:${await freePort()};`,
    'listen 443 ssl': `listen 127.0.0.1:${port} ssl`,
    'server 127.0.0.1:8080;': `server 127.0.0.1:${ports.platform};`,
    'server 127.0.0.1:8085;': `server 127.0.0.1:${ports.otaServer};`,
    '/etc/ssl/certs/ops-center.pem': path.join(folder, 'server.pem'),
    '/etc/ssl/private/ops-center.key': path.join(folder, 'server.key'),
  });
  const files = {
    'server.pem': certificates.good.cert,
    'server.key': certificates.good.key,
    'proxy.conf': adapted,
    'nginx.conf': mainFile(folder),
  };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(path.join(folder, name), text);
  }
  await mkdir(path.join(folder, 'temp'));
  const account = await serverAccount();
  if (account) {
    for (const name of ['', 'temp', ...Object.keys(files)]) {
      await chown(path.join(folder, name), account.uid, account.gid);
    }
  }
  const child = spawn(program, ['-p', folder, '-c', path.join(folder, 'nginx.conf')], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...account,
  });
  const killWithRun = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithRun);
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'exit');
  await waitFor(
    () => {
      if (child.exitCode !== null) throw new Error(`nginx did not start:\n${output}`);
      return accepts(port);
    },
    { describe: () => `nginx accepts connections:\n${output}` },
  );
  return {
    url: `https://localhost:${port}`,
    authority: await readFile(certificates.caFile, 'utf8'),
    async stop() {
      process.off('exit', killWithRun);
      // At once: open event streams must not delay the end.
      child.kill('SIGTERM');
      await ended;
      certificates.remove();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function mainFile(folder: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${folder}/temp/${name};`)
    .join('\n');
  return `
daemon off;
pid ${folder}/nginx.pid;
error_log stderr;
worker_processes 1;
events {}
http {
  access_log off;
${temporary}
  include ${folder}/proxy.conf;
}
`;
}

function replaceAll(text: string, replacements: Record<string, string>): string {
  let result = text;
  for (const [given, replacement] of Object.entries(replacements)) {
    if (!result.includes(given)) throw new Error(`The configuration does not contain "${given}".`);
    result = result.replaceAll(given, replacement);
  }
  return result;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
