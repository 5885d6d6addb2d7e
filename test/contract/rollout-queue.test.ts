import { postgresStore, redisStore } from './queue-stores.ts';
import { rolloutQueueContract } from './rollout-queue.contract.ts';

rolloutQueueContract('Redis', redisStore);
rolloutQueueContract('PostgreSQL', postgresStore);
