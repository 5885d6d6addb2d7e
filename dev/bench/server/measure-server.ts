/** Measures the server with a fleet of a million devices. */
import path from 'node:path';

import type { Figure } from '../figure.ts';
import { AdminApi } from './admin.ts';
import {
  measureOneStatementPerPoll,
  measurePolls,
  measureReports,
  type Deployments,
  type ServerUrls,
} from './device-api.ts';
import { measureDesignLoad } from './design-load.ts';
import { LARGE, LARGE_COUNT, PARTS, type Part } from './fleet.ts';
import { startBaseline } from './baseline.ts';
import { measureHistory } from './history.ts';
import { measureMemory } from './memory.ts';
import { busyTimeShares, profilingOptions } from './profile.ts';
import { measureReading } from './reading.ts';
import { measureFleetReads } from './reading-fleet.ts';
import { measureCreation, measureSteering } from './rollout.ts';
import { measureScaleOut } from './scale-out.ts';
import { measureOverload } from './overload.ts';
import { addDevices, openTestbed, type HostOptions } from './testbed.ts';

/** Topics of `--only`, in the order in which they are measured. */
export const SERVER_TOPICS = [
  'design-load',
  'polls',
  'creation',
  'steering',
  'reading',
  'reports',
  'scale-out',
  'overload',
  'memory',
] as const;
/** Measured only if it is named, because it takes half an hour and tens of gigabytes. */
export const HISTORY_TOPIC = 'history';
export type ServerTopic = (typeof SERVER_TOPICS)[number] | typeof HISTORY_TOPIC;

/** Devices of the benchmark poll more often than the default rate limit allows. */
const HOST: HostOptions = { pluginConfig: { device_requests_per_minute: 100_000 } };

/** Lines of a profile summary. */
const SUMMARY_LINES = 24;

/** Yields each figure as soon as it is measured. */
export async function* measureServer(options: {
  topics: ReadonlySet<ServerTopic>;
  memoryHours: number;
  /** Folder for profiles of the two servers that polls and reports use; `null`: no profiles. */
  profiles: string | null;
}): AsyncGenerator<Figure> {
  const { topics, memoryHours, profiles } = options;
  const isSelected = (...names: ServerTopic[]): boolean => names.some((name) => topics.has(name));
  const testbed = await openTestbed();
  const baseline = await startBaseline(testbed.databaseUrl);
  try {
    const profiled = (name: string): HostOptions =>
      profiles === null ? {} : { nodeOptions: profilingOptions(path.join(profiles, name)) };
    const preRouter = await testbed.startHost({ ...HOST, ...profiled('pre-router') });
    const express = await testbed.startHost({
      ...HOST,
      ...profiled('express'),
      role: 'api',
      preRouter: false,
    });
    const urls: ServerUrls = { express: express.url, preRouter: preRouter.url };
    const admin = new AdminApi(preRouter.url, testbed.adminToken);
    for (const { type, first, size } of PARTS) {
      log(`registering ${size} devices`);
      await addDevices(testbed.knex, { first, size, type });
    }

    if (isSelected('design-load')) {
      yield* measureDesignLoad(testbed, { express, preRouter }, baseline);
    }
    if (isSelected('polls')) yield* measurePolls('no deployment', 'nothing', urls, baseline);
    if (isSelected('creation')) yield* measureCreation(admin, testbed.knex, preRouter.url);
    if (isSelected('polls', 'steering', 'reading', 'reports', 'scale-out')) {
      const deployments = await createAll(admin);
      const large = deployments.get(LARGE) ?? '';
      if (isSelected('polls')) {
        yield* measurePolls(`${LARGE_COUNT} waiting targets`, 'nothing', urls, baseline);
        yield* measureOneStatementPerPoll(urls, baseline);
      }
      yield* releaseAll(admin, deployments, isSelected('steering') ? preRouter.url : null);
      if (isSelected('polls'))
        yield* measurePolls(`${LARGE_COUNT} offers`, 'offer', urls, baseline);
      if (isSelected('reading')) {
        yield* measureReading(admin, deployments);
        yield* measureFleetReads(admin, testbed.knex, large);
      }
      if (isSelected('reports')) yield* measureReports(deployments, urls, baseline);
      if (isSelected('scale-out')) yield* measureScaleOut(testbed, large);
    }
    if (isSelected('overload')) yield* measureOverload(testbed);
    if (isSelected('memory')) yield* measureMemory(testbed, memoryHours);
    if (isSelected('history')) yield* measureHistory(admin, testbed.knex);
    if (profiles !== null) {
      await Promise.all([preRouter, express].map((host) => host.kill('SIGTERM')));
      for (const name of ['pre-router', 'express']) {
        await printProfile(path.join(profiles, name));
      }
    }
  } finally {
    baseline.close();
    await testbed.close();
  }
}

async function createAll(admin: AdminApi): Promise<Deployments> {
  const deployments = new Map<Part, string>();
  for (const part of PARTS) {
    log(`creating a deployment for ${part.size} devices`);
    const { deployment_id: id } = await admin.create({
      deployment_name: `To ${part.size} devices`,
      device_filters: { device_type: part.type },
    });
    deployments.set(part, id);
  }
  return deployments;
}

/** @param url server whose polls are measured meanwhile; `null`: none */
async function* releaseAll(
  admin: AdminApi,
  deployments: Deployments,
  url: string | null,
): AsyncGenerator<Figure> {
  for (const [part, id] of deployments) if (part !== LARGE) await admin.release(id);
  const large = deployments.get(LARGE) ?? '';
  if (url === null) await admin.release(large);
  else yield* measureSteering(admin, large, url);
}

async function printProfile(folder: string): Promise<void> {
  log(`${folder}: share of the time that was not idle`);
  for (const { where, share } of (await busyTimeShares(folder)).slice(0, SUMMARY_LINES)) {
    console.error(`${(share * 100).toFixed(1).padStart(7)} %  ${where}`);
  }
}

function log(text: string): void {
  console.error(`bench: ${text}`);
}
