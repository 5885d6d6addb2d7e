/** Measures how often real rollouts of virtual devices end when the forecast says. */
import { setTimeout as delay } from 'node:timers/promises';

import type { DeploymentDetail, Forecast } from '../../../backend/contract/admin-api.ts';
import { ROLLOUT_STRATEGIES } from '../../../backend/contract/states.ts';
import { seededRandom, type Random } from '../../fleet/random.ts';
import { registerDevices } from '../../fleet/registration.ts';
import { VirtualFleet } from '../../fleet/virtual-fleet.ts';
import { absoluteFigure, plainFigure, type Figure } from '../figure.ts';
import { AdminApi } from './admin.ts';
import { openTestbed, type Testbed } from './testbed.ts';

const SEED = 18;
/** Seconds between polls. Each host serves a third of the rollouts, all at the same time. */
const POLL_SECONDS = [5, 10, 20];
const ROLLOUTS_PER_HOST = 34;
const GOAL = { atLeast: 80 };
const LOOK_MS = 500;
/** The share of the targets that have finished when a forecast is remembered. */
const MOMENTS = { 'at the start': 0, 'after half of the devices': 0.5 };
type Moment = keyof typeof MOMENTS;

interface Rollout {
  /** Forecasts that the server gave, with the time until the real end. */
  forecasts: Map<Moment, Forecast>;
  endedAt: Date;
}

/** @throws Error if Redis is not installed */
export async function* measureForecasts(): AsyncGenerator<Figure> {
  const testbed = await openTestbed();
  try {
    const random = seededRandom(SEED);
    const rollouts: Rollout[] = [];
    for (const pollSeconds of POLL_SECONDS) {
      rollouts.push(...(await rollOutMany(testbed, pollSeconds, random)));
    }
    yield plainFigure('rollouts of virtual devices', rollouts.length, 'rollouts');
    for (const moment of Object.keys(MOMENTS) as Moment[]) {
      const share =
        rollouts.filter((rollout) => isWithin(rollout, moment)).length / rollouts.length;
      yield absoluteFigure(`real end within the forecast ${moment}`, share * 100, '%', GOAL);
    }
  } finally {
    await testbed.close();
  }
}

/** A fleet and its deployment, which is not started. */
interface Prepared {
  fleet: VirtualFleet;
  deploymentId: string;
  /** Seconds from the start of the fleet to the start of the deployment. */
  startAfter: number;
}

async function rollOutMany(
  testbed: Testbed,
  pollSeconds: number,
  random: Random,
): Promise<Rollout[]> {
  const host = await testbed.startHost({
    pluginConfig: { poll_interval_seconds: pollSeconds, device_requests_per_minute: 100_000 },
  });
  const admin = new AdminApi(host.url, testbed.adminToken);
  const prepared: Prepared[] = [];
  try {
    for (let index = 0; index < ROLLOUTS_PER_HOST; index += 1) {
      const type = `poll-${pollSeconds}-rollout-${index}`;
      prepared.push(await prepare(testbed, host.url, admin, { type, pollSeconds, random }));
    }
    return await Promise.all(prepared.map((rollout) => rollOut(admin, rollout)));
  } finally {
    await Promise.all(prepared.map(({ fleet }) => fleet.stop()));
    await host.kill('SIGTERM');
  }
}

async function prepare(
  testbed: Testbed,
  url: string,
  admin: AdminApi,
  { type, pollSeconds, random }: { type: string; pollSeconds: number; random: Random },
): Promise<Prepared> {
  const members = await registerDevices(
    url,
    testbed.adminToken,
    Array.from({ length: Math.round(5 * 12 ** random.share()) }, (_, index) => ({
      name: `${type}-${index}`,
      type,
      version: 'v1.0.0',
      online: true,
    })),
  );
  const strategy = random.pick(ROLLOUT_STRATEGIES);
  const { deployment_id: deploymentId } = await admin.create({
    rollout_strategy: strategy,
    device_filters: { device_type: type },
    policy: { failure_threshold_percent: null },
    ...(strategy === 'canary' && { rollout_percentage: 25 }),
  });
  const fleet = new VirtualFleet(members, {
    urls: [url],
    connections: 4,
    behaviour: {
      pollSeconds,
      stepSeconds: 0.3 + 2.7 * random.share(),
      failureShare: 0.08 * random.share(),
      rollbackShare: 0,
      retrySeconds: 1,
    },
    offlineShare: 0,
    random,
  });
  return { fleet, deploymentId, startAfter: pollSeconds * (1 + random.share()) };
}

async function rollOut(admin: AdminApi, rollout: Prepared): Promise<Rollout> {
  rollout.fleet.start();
  await delay(rollout.startAfter * 1_000);
  await admin.act(rollout.deploymentId, 'start');
  return watch(admin, rollout.deploymentId);
}

/** Remembers forecasts, and expands a canary as soon as it has finished. */
async function watch(admin: AdminApi, id: string): Promise<Rollout> {
  const forecasts = new Map<Moment, Forecast>();
  for (;;) {
    const detail = await admin.get<DeploymentDetail>(`/deployments/${id}`);
    if (detail.completed_at !== null) return { forecasts, endedAt: new Date(detail.completed_at) };
    const { completed, failed, total_devices: total } = detail.progress;
    for (const [moment, share] of Object.entries(MOMENTS) as [Moment, number][]) {
      const isDue = !forecasts.has(moment) && completed + failed >= share * total;
      if (isDue && detail.forecast) forecasts.set(moment, detail.forecast);
    }
    if (detail.phase === 'awaiting_expansion') await admin.act(id, 'expand');
    await delay(LOOK_MS);
  }
}

/** A rollout that ended before a forecast could be read counts as missed. */
function isWithin({ forecasts, endedAt }: Rollout, moment: Moment): boolean {
  const forecast = forecasts.get(moment);
  if (!forecast?.latest) return false;
  return new Date(forecast.earliest) <= endedAt && endedAt <= new Date(forecast.latest);
}
