import { Redis } from 'ioredis';
import type { Logger } from 'pino';

import type { HostContext } from '../../host-contract.ts';

const CONNECT_TIMEOUT_MS = 2_000;
const MAX_RETRY_DELAY_MS = 1_000;

/** Connections that the plugin owns. Workers retry until Redis is back; producers fail fast. */
export function redisConnections(url: string, logger: Logger): NonNullable<HostContext['redis']> {
  return {
    connect(role) {
      const connection = new Redis(url, {
        maxRetriesPerRequest: role === 'worker' ? null : 1,
        connectTimeout: CONNECT_TIMEOUT_MS,
        retryStrategy: (attempt) => Math.min(attempt * 100, MAX_RETRY_DELAY_MS),
      });
      connection.on('error', (error) =>
        logger.warn({ err: error, role }, 'Redis connection error'),
      );
      return connection;
    },
  };
}
