/**
 * One PostgreSQL and one Redis for the whole run. The first test that needs one starts it, so unit tests
 * do not wait for them.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../backend/server/postgres/embedded-postgres.ts';
import { startRedisServer, type RedisServer } from '../../dev/redis/redis-server.ts';

let postgres: Promise<EmbeddedPostgres> | undefined;
let redis: Promise<RedisServer | null> | undefined;

export function testPostgres(): Promise<EmbeddedPostgres> {
  postgres ??= startPostgres();
  return postgres;
}

/** `null` if no redis-server is installed. The test then skips itself. */
export async function testRedisUrl(): Promise<string | null> {
  redis ??= startRedisServer();
  return (await redis)?.url ?? null;
}

export async function stopTestServices(): Promise<void> {
  await Promise.all([
    postgres?.then((server) => server.stop()),
    redis?.then((server) => server?.stop()),
  ]);
  postgres = undefined;
  redis = undefined;
}

async function startPostgres(): Promise<EmbeddedPostgres> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'ops-center-test-'));
  return startEmbeddedPostgres({ dataDir, persistent: false });
}
