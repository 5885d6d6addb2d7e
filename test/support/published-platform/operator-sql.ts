/** The SQL that operators run to set up a database for ota-server (docs/server). */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { ROOT } from '../repository.ts';

/** @param values what an operator replaces */
export function operatorSql(file: string, values: Record<string, string>): string {
  let sql = readFileSync(path.join(ROOT, 'docs/server', file), 'utf8');
  for (const [placeholder, value] of Object.entries(values)) {
    if (!sql.includes(placeholder)) throw new Error(`${file} does not contain ${placeholder}`);
    sql = sql.replaceAll(placeholder, value);
  }
  return sql;
}

/** Roles belong to the whole server, which tests share. */
export function uniqueRole(name: string): string {
  return `${name}_${randomBytes(4).toString('hex')}`;
}

export function asRole(connectionString: string, role: string, password: string): string {
  const url = new URL(connectionString);
  url.username = role;
  url.password = password;
  return url.href;
}
