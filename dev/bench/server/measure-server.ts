/** What the server does for a fleet of a million devices on this machine. */
import type { Figure } from '../figure.ts';
import { Admin } from './admin.ts';
import { measurePolls, measureReports, type Deployments, type Doors } from './device-api.ts';
import { LARGE, PARTS, type Part } from './fleet.ts';
import { startLimits } from './limits.ts';
import { measureMemory } from './memory.ts';
import { measureReading } from './reading.ts';
import { measureCreation, measureSteering } from './rollout.ts';
import { measureScaleOut } from './scale-out.ts';
import { measureStorm } from './storm.ts';
import { addDevices, openStand, type HostOptions } from './stand.ts';

/** Every device of the bench stands for many; the limit is tried elsewhere. */
const HOST: HostOptions = { pluginConfig: { device_requests_per_minute: 100_000 } };

export async function measureServer({ memoryHours }: { memoryHours: number }): Promise<Figure[]> {
  const stand = await openStand();
  const limits = await startLimits();
  try {
    const ahead = await stand.startHost(HOST);
    const express = await stand.startHost({ ...HOST, role: 'api', listenAhead: false });
    const doors: Doors = { express: express.url, ahead: ahead.url };
    const admin = new Admin(ahead.url, stand.adminToken);
    for (const { type, first, size } of PARTS) {
      say(`registering ${size} devices`);
      await addDevices(stand.knex, { first, size, type });
    }
    const figures: Figure[] = [];
    const note = (more: Figure[]): void => void figures.push(...more);

    say('polls of a fleet without deployments');
    note(await measurePolls('no deployment', 'nothing', doors, limits));
    say('creation');
    note(await measureCreation(admin, stand.knex, ahead.url));
    const deployments = await createAll(admin);
    say('polls of a fleet that waits');
    note(await measurePolls('1,000,000 targets that wait', 'nothing', doors, limits));
    say('release and pause');
    for (const [part, id] of deployments) if (part !== LARGE) await admin.release(id);
    note(await measureSteering(admin, deployments.get(LARGE) ?? '', ahead.url));
    say('polls of a fleet with offers');
    note(await measurePolls('1,000,000 offers', 'offer', doors, limits));
    say('reading');
    note(await measureReading(admin, deployments));
    say('reports');
    note(await measureReports(deployments, doors, limits));
    say('two of everything');
    note(await measureScaleOut(stand, deployments.get(LARGE) ?? ''));
    say('storm');
    note(await measureStorm(stand));
    say('memory');
    note(await measureMemory(stand, memoryHours));
    return figures;
  } finally {
    limits.close();
    await stand.close();
  }
}

async function createAll(admin: Admin): Promise<Deployments> {
  const deployments = new Map<Part, string>();
  for (const part of PARTS) {
    const { deployment_id: id } = await admin.create({
      deployment_name: `To ${part.size} devices`,
      device_filters: { device_type: part.type },
    });
    deployments.set(part, id);
  }
  return deployments;
}

function say(text: string): void {
  console.error(`bench: ${text}`);
}
