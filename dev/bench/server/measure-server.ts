/** What the server does for a fleet of a million devices on this machine. */
import path from 'node:path';

import type { Figure } from '../figure.ts';
import { Admin } from './admin.ts';
import { measurePolls, measureReports, type Deployments, type Doors } from './device-api.ts';
import { LARGE, PARTS, type Part } from './fleet.ts';
import { startLimits } from './limits.ts';
import { measureMemory } from './memory.ts';
import { profilingOptions, whereTimeWent } from './profile.ts';
import { measureReading } from './reading.ts';
import { measureFleetReads } from './reading-fleet.ts';
import { measureCreation, measureSteering } from './rollout.ts';
import { measureScaleOut } from './scale-out.ts';
import { measureStorm } from './storm.ts';
import { addDevices, openStand, type HostOptions } from './stand.ts';

/** What can be measured alone, in the order in which it is measured. */
export const SERVER_TOPICS = [
  'polls',
  'creation',
  'steering',
  'reading',
  'reports',
  'scale-out',
  'storm',
  'memory',
] as const;
export type ServerTopic = (typeof SERVER_TOPICS)[number];

/** Every device of the bench stands for many; the limit is tried elsewhere. */
const HOST: HostOptions = { pluginConfig: { device_requests_per_minute: 100_000 } };

/** Of a profile, as it is told. */
const PLACES = 24;

/** Figures as they are measured. */
export async function* measureServer(options: {
  topics: ReadonlySet<ServerTopic>;
  memoryHours: number;
  /** Takes the profiles of the two servers that are measured first. */
  profiles: string | null;
}): AsyncGenerator<Figure> {
  const { topics, memoryHours, profiles } = options;
  const asked = (...names: ServerTopic[]): boolean => names.some((name) => topics.has(name));
  const stand = await openStand();
  const limits = await startLimits();
  try {
    const profiled = (name: string): HostOptions =>
      profiles === null ? {} : { nodeOptions: profilingOptions(path.join(profiles, name)) };
    const ahead = await stand.startHost({ ...HOST, ...profiled('ahead') });
    const express = await stand.startHost({
      ...HOST,
      ...profiled('express'),
      role: 'api',
      preRouter: false,
    });
    const doors: Doors = { express: express.url, ahead: ahead.url };
    const admin = new Admin(ahead.url, stand.adminToken);
    for (const { type, first, size } of PARTS) {
      say(`registering ${size} devices`);
      await addDevices(stand.knex, { first, size, type });
    }

    if (asked('polls')) yield* measurePolls('no deployment', 'nothing', doors, limits);
    if (asked('creation')) yield* measureCreation(admin, stand.knex, ahead.url);
    if (asked('polls', 'steering', 'reading', 'reports', 'scale-out')) {
      const deployments = await createAll(admin);
      const large = deployments.get(LARGE) ?? '';
      if (asked('polls')) {
        yield* measurePolls('1,000,000 targets that wait', 'nothing', doors, limits);
      }
      yield* releaseAll(admin, deployments, asked('steering') ? ahead.url : null);
      if (asked('polls')) yield* measurePolls('1,000,000 offers', 'offer', doors, limits);
      if (asked('reading')) {
        yield* measureReading(admin, deployments);
        yield* measureFleetReads(admin, stand.knex, large);
      }
      if (asked('reports')) yield* measureReports(deployments, doors, limits);
      if (asked('scale-out')) yield* measureScaleOut(stand, large);
    }
    if (asked('storm')) yield* measureStorm(stand);
    if (asked('memory')) yield* measureMemory(stand, memoryHours);
    if (profiles !== null) {
      await Promise.all([ahead, express].map((host) => host.kill('SIGTERM')));
      for (const name of ['ahead', 'express']) await tellProfile(path.join(profiles, name));
    }
  } finally {
    limits.close();
    await stand.close();
  }
}

async function createAll(admin: Admin): Promise<Deployments> {
  const deployments = new Map<Part, string>();
  for (const part of PARTS) {
    say(`a deployment to ${part.size} devices`);
    const { deployment_id: id } = await admin.create({
      deployment_name: `To ${part.size} devices`,
      device_filters: { device_type: part.type },
    });
    deployments.set(part, id);
  }
  return deployments;
}

/** @param measuredAt server whose polls are measured meanwhile, if any */
async function* releaseAll(
  admin: Admin,
  deployments: Deployments,
  measuredAt: string | null,
): AsyncGenerator<Figure> {
  for (const [part, id] of deployments) if (part !== LARGE) await admin.release(id);
  const large = deployments.get(LARGE) ?? '';
  if (measuredAt === null) await admin.release(large);
  else yield* measureSteering(admin, large, measuredAt);
}

async function tellProfile(folder: string): Promise<void> {
  say(`${folder}: where the time went that was not idle`);
  for (const { where, share } of (await whereTimeWent(folder)).slice(0, PLACES)) {
    console.error(`${(share * 100).toFixed(1).padStart(7)} %  ${where}`);
  }
}

function say(text: string): void {
  console.error(`bench: ${text}`);
}
