import { expect } from 'chai';
import { pino } from 'pino';

import { freePort } from '../../../backend/server/postgres/free-port.ts';
import { redisConnections } from '../../../backend/server/host/redis-connections.ts';
import { startRedisServer } from '../../../dev/redis/redis-server.ts';
import { testRedisUrl } from '../../support/test-services.ts';

const logger = pino({ level: 'silent' });

describe('Redis connections for the plugin', () => {
  it('reach the Redis of the host', async function () {
    const url = await testRedisUrl();
    if (url === null) return this.skip();
    const connection = redisConnections(url, logger).connect('producer');
    expect(await connection.ping()).to.equal('PONG');
    await connection.quit();
  });

  it('fail soon for a producer if Redis is unavailable', async () => {
    const nowhere = `redis://127.0.0.1:${await freePort()}`;
    const connection = redisConnections(nowhere, logger).connect('producer');
    const problem = await connection.ping().catch((error: unknown) => error);
    expect(problem).to.have.property('name', 'MaxRetriesPerRequestError');
    connection.disconnect();
  });

  it('let a worker wait until Redis is available', async function () {
    if ((await testRedisUrl()) === null) return this.skip();
    const port = await freePort();
    const connection = redisConnections(`redis://127.0.0.1:${port}`, logger).connect('worker');
    const answer = connection.ping();
    const redis = await startRedisServer(port);
    expect(await answer).to.equal('PONG');
    connection.disconnect();
    await redis?.stop();
  });
});
