/** Sessions of Ops-Center, found by the token in its cookie. */
import { Redis } from 'ioredis';

import type { HealthCheck } from '../host/health.ts';
import { HostProblem } from '../host/problem.ts';
import type { PlatformSettings } from './admins.schema.ts';
import { readLimited } from './read-limited.ts';
import { userOfAuthMe, userOfSession } from './platform-user.ts';
import type { Principal } from './principal.ts';
import { type ThrottledLog, withoutSecrets } from './throttled-log.ts';

const CONNECT_TIMEOUT_MS = 2_000;
/** A request waits at most this long for Redis, which usually answers in a millisecond. */
const COMMAND_TIMEOUT_MS = 2_000;
const MAX_RETRY_DELAY_MS = 1_000;
const MAX_ANSWER = 256 * 1024;

export interface PlatformSessions {
  /**
   * `null`: there is no such session, or it is malformed.
   *
   * @throws {HostProblem} `unavailable` if the platform does not answer
   */
  find(token: string): Promise<Principal | null>;
  healthChecks: Record<string, HealthCheck>;
  close(): void;
}

export function createPlatformSessions(
  settings: PlatformSettings,
  log: ThrottledLog,
): PlatformSessions {
  if (settings.redis) return sessionsInRedis(settings, settings.redis, log);
  if (settings.auth_me) return sessionsByAuthMe(settings, settings.auth_me, log);
  throw new Error('admins.platform needs redis or auth_me.');
}

function sessionsInRedis(
  settings: PlatformSettings,
  { url, database, key_prefix: prefix }: NonNullable<PlatformSettings['redis']>,
  log: ThrottledLog,
): PlatformSessions {
  const redis = new Redis(url, {
    ...(database === undefined ? {} : { db: database }),
    connectionName: 'ota-server-sessions',
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    maxRetriesPerRequest: 1,
    retryStrategy: (attempt) => Math.min(attempt * 100, MAX_RETRY_DELAY_MS),
  });
  redis.on('error', (error) =>
    log.warn(withoutSecrets(error), 'The Redis of the platform has a connection error'),
  );
  return {
    async find(token) {
      const session = await redis.get(prefix + token).catch((error: unknown) => {
        log.warn(
          withoutSecrets(error),
          'A session could not be read from the Redis of the platform',
        );
        throw new HostProblem('unavailable', 'The sessions of the platform cannot be read.');
      });
      if (session === null) return null;
      const user = userOfSession(session, settings);
      if (!user) log.warn({}, 'A session in the Redis of the platform is malformed');
      return user;
    },
    healthChecks: {
      platform_sessions: {
        run: () => redis.ping(),
        failure: 'The Redis with the sessions of the platform does not respond.',
      },
    },
    close: () => redis.disconnect(),
  };
}

function sessionsByAuthMe(
  settings: PlatformSettings,
  { url, timeout_ms: timeoutMs }: NonNullable<PlatformSettings['auth_me']>,
  log: ThrottledLog,
): PlatformSessions {
  async function ask(token: string): Promise<string | null> {
    const answer = await fetch(url, {
      headers: { accept: 'application/json', cookie: `${settings.cookie}=${token}` },
      // The cookie must not reach another address.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (answer.status === 200) return readLimited(answer, MAX_ANSWER);
    await answer.body?.cancel();
    if (answer.status === 401 || answer.status === 403) return null;
    throw new Error(`it answered ${answer.status}`);
  }
  return {
    async find(token) {
      const answer = await ask(token).catch((error: unknown) => {
        log.warn(withoutSecrets(error), 'The platform did not say whose session it is');
        throw new HostProblem('unavailable', 'The platform does not answer who is signed in.');
      });
      if (answer === null) return null;
      const user = userOfAuthMe(answer, settings);
      if (!user) log.warn({}, 'The answer of the platform about a session is malformed');
      return user;
    },
    healthChecks: {},
    close: () => undefined,
  };
}
