import { expect } from 'chai';
import pino from 'pino';

import type { LastPollRepository, PolledDevices } from '../../backend/devices/last-poll.ports.ts';
import { LastPolls } from '../../backend/devices/last-poll.service.ts';
import { PrometheusTelemetry } from '../../backend/observability/prometheus-telemetry.ts';
import { waitFor } from '../../dev/wait-for.ts';
import { parseExposition } from '../support/prometheus-text.ts';

const ORGANIZATION = 'organization';

describe('the record of last polls', () => {
  let saved: PolledDevices[];
  let fail: boolean;
  let warnings: number;
  let telemetry: PrometheusTelemetry;
  let polls: LastPolls;

  beforeEach(() => {
    saved = [];
    fail = false;
    warnings = 0;
    const repository: LastPollRepository = {
      save(polled) {
        if (fail) return Promise.reject(new Error('database away'));
        saved.push(polled);
        return Promise.resolve();
      },
    };
    telemetry = new PrometheusTelemetry();
    const logger = pino({ level: 'warn' }, { write: () => void (warnings += 1) });
    polls = new LastPolls(repository, telemetry, logger);
  });

  afterEach(() => polls.close());

  const record = (deviceId: string, organizationId = ORGANIZATION) =>
    polls.record({ deviceId, organizationId });
  const devices = () => saved.flatMap(({ organizations }) => [...organizations.keys()]);
  const dropped = async () =>
    parseExposition(await telemetry.exposition()).value('ota_last_polls_dropped_total');

  it('writes the devices of a second in one statement, each once, by itself', async () => {
    for (const id of ['a', 'b', 'a', 'c']) record(id);
    await waitFor(() => saved.length > 0, { describe: 'the devices are written' });
    expect(saved).to.have.length(1);
    expect(devices()).to.deep.equal(['a', 'b', 'c']);
    expect(saved[0]?.ageSeconds).to.be.within(0.9, 10);
  });

  it('remembers the organization of the latest poll', async () => {
    record('a', 'one');
    record('a', 'other');
    await polls.close();
    expect([...saved[0]!.organizations]).to.deep.equal([['a', 'other']]);
  });

  it('writes at most 5,000 devices with a statement', async () => {
    for (let index = 0; index < 12_000; index += 1) record(`device ${index}`);
    await polls.close();
    expect(saved.map(({ organizations }) => organizations.size)).to.deep.equal([
      5_000, 5_000, 2_000,
    ]);
  });

  it('tries again what could not be written, and warns once', async () => {
    fail = true;
    record('a');
    await waitFor(() => warnings > 0, { describe: 'a warning' });
    record('b');
    fail = false;
    await waitFor(() => devices().length > 0, { describe: 'it is written' });
    expect(devices()).to.deep.equal(['a', 'b']);
    expect(warnings).to.equal(1);
    expect(await dropped()).to.equal(0);
  });

  it('drops the oldest polls when too many wait', async () => {
    for (let index = 0; index < 52_000; index += 1) record(`device ${index}`);
    expect(await dropped()).to.equal(5_000);
    await polls.close();
    expect(devices()).to.have.length(47_000);
    expect(devices()[0]).to.equal('device 5000');
  });

  it('writes what it has when it is closed, and nothing later', async () => {
    record('a');
    await polls.close();
    record('b');
    await polls.close();
    expect(devices()).to.deep.equal(['a']);
  });
});
