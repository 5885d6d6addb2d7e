/** Certificates made with the `openssl` command for one test run. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  key: string;
  cert: string;
}

export interface CertificateSet {
  /** File of the authority that signed all but `selfSigned`. */
  caFile: string;
  good: Certificate;
  expired: Certificate;
  /** Valid in twenty years. */
  notYetValid: Certificate;
  /** For another host. */
  wrongName: Certificate;
  selfSigned: Certificate;
  remove: () => void;
}

/** For the host name `host`. */
export function makeCertificates(host: string): CertificateSet {
  const dir = mkdtempSync(join(tmpdir(), 'ota-certificates-'));
  const path = (name: string): string => join(dir, name);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const authority = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
  openssl(
    ...['req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem'],
    ...['-subj', '/CN=Authority of the test', '-days', '2'],
  );
  const issue = (name: string, forHost: string, days: string): Certificate => {
    openssl(
      ...['req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`],
      ...['-subj', `/CN=${forHost}`],
    );
    writeFileSync(path(`${name}.ext`), `subjectAltName=DNS:${forHost}\n`);
    openssl(
      ...['x509', '-req', '-in', `${name}.csr`, ...authority, '-days', days],
      ...['-extfile', `${name}.ext`, '-out', `${name}.pem`],
    );
    return read(name);
  };
  const read = (name: string): Certificate => ({
    key: readFileSync(path(`${name}.key`), 'utf8'),
    cert: readFileSync(path(`${name}.pem`), 'utf8'),
  });
  const good = issue('good', host, '2');
  const wrongName = issue('wrong', 'elsewhere.example.com', '2');
  // Valid until the moment it was made.
  const expired = issue('expired', host, '0');
  const issueLater = (name: string): Certificate => {
    openssl(
      ...['req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`],
      ...['-subj', `/CN=${host}`],
    );
    writeFileSync(path('index.txt'), '');
    writeFileSync(
      path('ca.cnf'),
      '[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\n' +
        'default_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n' +
        `[names]\nsubjectAltName=DNS:${host}\n`,
    );
    const year = new Date().getUTCFullYear() + 20;
    openssl(
      ...['ca', '-batch', '-config', 'ca.cnf', '-cert', 'ca.pem', '-keyfile', 'ca.key'],
      ...['-startdate', `${year}0101000000Z`, '-enddate', `${year + 1}0101000000Z`],
      ...['-extensions', 'names', '-notext', '-in', `${name}.csr`, '-out', `${name}.pem`],
    );
    return read(name);
  };
  const notYetValid = issueLater('later');
  openssl(
    ...['req', '-x509', ...newKey, '-keyout', 'self.key', '-out', 'self.pem', '-days', '2'],
    ...['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`],
  );
  return {
    caFile: path('ca.pem'),
    good,
    expired,
    notYetValid,
    wrongName,
    selfSigned: read('self'),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
