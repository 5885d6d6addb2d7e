/** A certificate for the address under which the virtual machine reaches this one. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { OPENSSL } from '../programs.ts';
import { runProgram } from './commands.ts';

export interface Certificate {
  key: string;
  certificate: string;
  /** Path of what the device has to trust. */
  file: string;
}

/** Signed by itself and valid for two days. */
export async function makeCertificate(address: string, folder: string): Promise<Certificate> {
  const key = path.join(folder, 'server.key');
  const file = path.join(folder, 'server.pem');
  await runProgram(OPENSSL, [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-keyout', key, '-out', file, '-days', '2', '-subj', `/CN=${address}`],
    ...['-addext', `subjectAltName=IP:${address}`],
  ]);
  return {
    key: await readFile(key, 'utf8'),
    certificate: await readFile(file, 'utf8'),
    file,
  };
}
