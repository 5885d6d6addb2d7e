/** The tables of an earlier release, with deployments in every state. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import type { Knex } from 'knex';

import type {
  DeploymentStatus,
  RolloutStrategy,
  TargetStatus,
} from '../../../backend/contract/states.ts';
import { insertDevices, type SeededDevice } from '../seed.ts';

export const VARIANTS = [
  'earlier-release.sql',
  'earlier-release-strict.sql',
  'published.sql',
] as const;

export type EarlierTables = (typeof VARIANTS)[number];

/** The `rollout_percentage` of a deployment without one. */
const WITHOUT_PERCENTAGE: Record<EarlierTables, number | null> = {
  'earlier-release.sql': null,
  'earlier-release-strict.sql': null,
  'published.sql': 100,
};

export interface EarlierDeployment {
  id: string;
  name: string;
  status: DeploymentStatus;
  strategy: RolloutStrategy;
  percentage: number | null;
  targets: { device: SeededDevice; status: TargetStatus }[];
}

interface Fixture {
  status: DeploymentStatus;
  strategy: RolloutStrategy;
  percentage?: number;
  targets: TargetStatus[];
  metadata?: null;
}

const FIXTURES = {
  'not started': {
    status: 'pending',
    strategy: 'immediate',
    targets: ['pending', 'pending', 'pending'],
  },
  'in progress': {
    status: 'in_progress',
    strategy: 'immediate',
    targets: ['completed', 'failed', 'downloading', 'pending', 'pending'],
  },
  'in progress without failures': {
    status: 'in_progress',
    strategy: 'manual',
    targets: ['completed', 'installing', 'verifying', 'pending'],
  },
  'a canary with only its first share': {
    status: 'in_progress',
    strategy: 'canary',
    percentage: 20,
    targets: ['completed', 'installing'],
  },
  'a rolling one with only its first batch': {
    status: 'in_progress',
    strategy: 'rolling',
    targets: ['completed', 'completed', 'skipped', 'completed', 'completed', 'pending', 'pending'],
  },
  'all targets finished': {
    status: 'in_progress',
    strategy: 'immediate',
    targets: ['completed', 'completed'],
  },
  'a canary without a poll': {
    status: 'in_progress',
    strategy: 'canary',
    percentage: 10,
    targets: ['pending'],
  },
  'in progress with many failures': {
    status: 'in_progress',
    strategy: 'immediate',
    targets: ['failed', 'failed', 'failed', 'completed', 'completed', 'downloading', 'pending'],
  },
  'in progress without targets': { status: 'in_progress', strategy: 'rolling', targets: [] },
  paused: { status: 'paused', strategy: 'canary', targets: ['downloading', 'pending'] },
  'paused after failures': {
    status: 'paused',
    strategy: 'rolling',
    targets: ['completed', 'failed', 'rolled_back', 'installing', 'pending'],
  },
  completed: {
    status: 'completed',
    strategy: 'immediate',
    targets: ['completed', 'completed', 'completed'],
  },
  failed: {
    status: 'failed',
    strategy: 'rolling',
    targets: ['completed', 'failed', 'rolled_back'],
  },
  cancelled: {
    status: 'cancelled',
    strategy: 'immediate',
    targets: ['completed', 'skipped', 'skipped'],
  },
  'cancelled while updating': {
    status: 'cancelled',
    strategy: 'canary',
    targets: ['completed', 'installing', 'pending'],
  },
  'without targets and details': {
    status: 'pending',
    strategy: 'manual',
    targets: [],
    metadata: null,
  },
} satisfies Record<string, Fixture>;

export type EarlierRollouts = Record<keyof typeof FIXTURES, EarlierDeployment>;

const STARTED: readonly TargetStatus[] = [
  'downloading',
  'installing',
  'verifying',
  'completed',
  'failed',
  'rolled_back',
];
const CREATED_AT = '2026-01-10T08:00:00Z';
const STARTED_AT = '2026-01-10T09:00:00Z';
const COMPLETED_AT = '2026-01-10T09:10:00Z';

export async function createEarlierTables(knex: Knex, variant: EarlierTables): Promise<void> {
  await knex.raw(await readFile(new URL(variant, import.meta.url), 'utf8'));
}

/** Times are in UTC, even in columns without a time zone. */
export async function insertEarlierRows(
  knex: Knex,
  variant: EarlierTables,
  owner: { organizationId: string; userId: string },
): Promise<EarlierRollouts> {
  const { organizationId, userId } = owner;
  const rollouts: [string, EarlierDeployment][] = [];
  for (const [name, fixture] of Object.entries<Fixture>(FIXTURES)) {
    const { status, strategy, targets } = fixture;
    const written = fixture.percentage ?? WITHOUT_PERCENTAGE[variant];
    // Other strategies have no percentage, whatever the column contains.
    const percentage = ['canary', 'rolling'].includes(strategy) ? written : null;
    const devices = await insertDevices(knex, targets.length, { organizationId, namePrefix: name });
    const id = randomUUID();
    const isFinal = ['completed', 'failed', 'cancelled'].includes(status);
    await knex('ota_deployments').insert({
      id,
      deployment_name: name,
      organization_id: organizationId,
      target_version: 'v2.1.0',
      rollout_strategy: strategy,
      rollout_percentage: written,
      status,
      started_at: status === 'pending' ? null : STARTED_AT,
      completed_at: isFinal ? COMPLETED_AT : null,
      created_at: CREATED_AT,
      created_by: userId,
      metadata: fixture.metadata === null ? null : JSON.stringify(metadataOf(name)),
    });
    if (targets.length > 0) {
      await knex('ota_deployment_devices').insert(
        targets.map((target, index) => ({
          deployment_id: id,
          device_id: devices[index]?.id,
          status: target,
          started_at: STARTED.includes(target) ? STARTED_AT : null,
          completed_at: target === 'completed' || target === 'failed' ? COMPLETED_AT : null,
          error_message: target === 'failed' ? 'disk full' : null,
        })),
      );
    }
    rollouts.push([
      name,
      {
        id,
        name,
        status,
        strategy,
        percentage,
        targets: targets.map((target, index) => ({
          device: devices[index] as SeededDevice,
          status: target,
        })),
      },
    ]);
  }
  return Object.fromEntries(rollouts) as EarlierRollouts;
}

export function metadataOf(name: string) {
  return {
    update_package_url: 'https://cdn.example.com/updates/v2.1.0.tar.gz',
    checksum: `sha256:${'ab'.repeat(32)}`,
    release_notes: `Notes of "${name}"`,
    device_filters: { device_type: 'raspberry_pi', version_operator: '!=' },
  };
}
