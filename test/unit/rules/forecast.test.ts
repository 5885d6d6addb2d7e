import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { StatusBreakdown } from '../../../backend/contract/admin-api.ts';
import { ROLLOUT_STRATEGIES, type RolloutStrategy } from '../../../backend/contract/states.ts';
import { emptyBreakdown } from '../../../backend/deployments/model/deployment.types.ts';
import { planBatches } from '../../../backend/deployments/rules/batch-plan.ts';
import { forecast, type ForecastInput } from '../../../backend/deployments/rules/forecast.ts';
import { seededRandom, type Random } from '../../../dev/fleet/random.ts';

const NOW = new Date('2026-11-01T12:00:00Z');
const at = (seconds: number) => new Date(NOW.getTime() + seconds * 1_000);
const seconds = (time: Date | null | undefined) =>
  time === null || time === undefined ? null : (time.getTime() - NOW.getTime()) / 1_000;

const breakdown = (counts: Partial<StatusBreakdown>) => ({ ...emptyBreakdown(), ...counts });

function input(change: Partial<ForecastInput> = {}): ForecastInput {
  return {
    now: NOW,
    status: 'in_progress',
    strategy: 'immediate',
    policy: { device_timeout_minutes: 60, pickup_timeout_hours: null },
    scheduledAt: null,
    resumedAt: null,
    batches: [{ size: 100, releasedAt: NOW, breakdown: breakdown({ pending: 100 }) }],
    pollSeconds: 300,
    durations: null,
    recentDurations: { updates: 50, meanSeconds: 120 },
    ...change,
  };
}

describe('forecast of the end of a deployment', () => {
  it('covers the wait for the next poll and the slowest update', () => {
    const result = forecast(input());
    assert(result);
    const likely = seconds(result.likely) ?? NaN;
    assert(likely > 300 && likely < 900, `${likely}`);
    assert(result.earliest <= (result.likely ?? NOW));
    assert((result.latest ?? NOW) >= (result.likely ?? NOW));
    assert.deepEqual([result.basis, result.updates], ['recent_deployments', 50]);
  });

  it('is null once the deployment has finished', () => {
    for (const status of ['completed', 'failed', 'cancelled'] as const) {
      assert.equal(forecast(input({ status })), null);
    }
  });

  it('uses the deployment’s own durations as soon as there are ten', () => {
    const own = (updates: number) => forecast(input({ durations: { updates, meanSeconds: 600 } }));
    assert.equal(own(9)?.basis, 'recent_deployments');
    assert.equal(own(10)?.basis, 'this_deployment');
    assert((own(10)?.earliest ?? NOW) > (own(9)?.earliest ?? NOW));
  });

  it('says that durations are assumed if nothing has been updated yet', () => {
    const result = forecast(input({ recentDurations: null }));
    assert.deepEqual([result?.basis, result?.updates], ['assumed', 0]);
  });

  it('starts at the scheduled time', () => {
    const planned = { size: 100, releasedAt: null, breakdown: breakdown({ pending: 100 }) };
    const scheduled = { status: 'pending', batches: [planned], scheduledAt: at(86_400) } as const;
    assert((seconds(forecast(input(scheduled))?.earliest) ?? 0) > 86_400);
    assert.deepEqual(forecast(input(scheduled))?.assumes, []);
  });

  it('says which action of an admin it assumes', () => {
    const first = { size: 10, releasedAt: NOW, breakdown: breakdown({ completed: 10 }) };
    const rest = { size: 90, releasedAt: null, breakdown: breakdown({ pending: 90 }) };
    const batches = [first, rest];
    const planned = [{ ...first, releasedAt: null }, rest];
    const assumed = (change: Partial<ForecastInput>) => forecast(input(change))?.assumes;
    assert.deepEqual(assumed({ status: 'pending' }), ['start']);
    assert.deepEqual(assumed({ status: 'paused' }), ['resume']);
    assert.deepEqual(assumed({ strategy: 'canary', batches }), ['expand']);
    assert.deepEqual(assumed({ status: 'pending', strategy: 'canary', batches: planned }), [
      'start',
      'expand',
    ]);
    assert.deepEqual(assumed({ status: 'paused', strategy: 'canary', batches }), [
      'resume',
      'expand',
    ]);
    assert.deepEqual(assumed({ strategy: 'rolling', batches }), []);
  });

  it('is open if a device does not poll and nothing limits the wait', () => {
    const released = { releasedAt: at(-3_600), size: 100 };
    const batches = [{ ...released, breakdown: breakdown({ completed: 97, pending: 3 }) }];
    const result = forecast(input({ batches }));
    assert.deepEqual([result?.likely, result?.latest, result?.notPolling], [null, null, 3]);
  });

  it('waits for a device that does not poll until it is skipped', () => {
    const released = { releasedAt: at(-3_600), size: 100 };
    const batches = [{ ...released, breakdown: breakdown({ completed: 97, pending: 3 }) }];
    const policy = { device_timeout_minutes: 60, pickup_timeout_hours: 24 };
    const result = forecast(input({ batches, policy }));
    assert.equal(seconds(result?.likely), 23 * 3_600);
  });

  it('expects devices that do not poll in later batches, too', () => {
    const done = {
      size: 50,
      releasedAt: at(-9_000),
      breakdown: breakdown({ completed: 45, skipped: 5 }),
    };
    const planned = { size: 50, releasedAt: null, breakdown: breakdown({ pending: 50 }) };
    const policy = { device_timeout_minutes: 60, pickup_timeout_hours: 2 };
    const result = forecast(
      input({ strategy: 'rolling', policy, batches: [done, planned, planned] }),
    );
    assert.equal(seconds(result?.likely), 2 * 2 * 3_600);
  });

  it('always orders earliest, likely and latest, none before now', () => {
    const counts = fc.record({
      pending: fc.nat(1_000_000),
      downloading: fc.nat(1_000),
      completed: fc.nat(1_000_000),
      skipped: fc.nat(100),
    });
    const batch = fc.record({ counts, age: fc.option(fc.nat(10_000_000)) });
    const durations = fc.option(
      fc.record({ updates: fc.integer({ min: 1, max: 1_000_000 }), meanSeconds: fc.nat(100_000) }),
    );
    fc.assert(
      fc.property(
        fc.array(batch, { minLength: 1, maxLength: 20 }),
        durations,
        durations,
        fc.option(fc.integer({ min: 1, max: 168 })),
        fc.constantFrom('pending', 'in_progress', 'paused' as const),
        fc.constantFrom(...ROLLOUT_STRATEGIES),
        (batches, own, earlier, pickup, status, strategy) => {
          const result = forecast(
            input({
              status: status as ForecastInput['status'],
              strategy,
              batches: batches.map(({ counts: some, age }) => ({
                size: some.pending + some.downloading + some.completed + some.skipped,
                releasedAt: age === null ? null : at(-age),
                breakdown: breakdown(some),
              })),
              durations: own,
              recentDurations: earlier,
              policy: { device_timeout_minutes: 60, pickup_timeout_hours: pickup },
            }),
          );
          assert(result && result.earliest >= NOW);
          if (result.likely) assert(result.likely >= result.earliest);
          if (result.latest) assert(result.likely && result.latest >= result.likely);
        },
      ),
    );
  });

  it('holds the real end in at least 80 % of 400 simulated rollouts, from start to end', () => {
    const random = seededRandom(20_261_127);
    const moments = { start: 0, half: 0, late: 0 };
    const rollouts = 400;
    for (let run = 0; run < rollouts; run += 1) {
      const rollout = simulate(random);
      for (const [name, share] of [
        ['start', 0],
        ['half', 0.5],
        ['late', 0.9],
      ] as const) {
        const moment = rollout.end * share;
        const result = forecast(rollout.inputAt(moment));
        const end = at(rollout.end);
        if (result?.latest && result.earliest <= end && end <= result.latest) moments[name] += 1;
      }
    }
    for (const [name, hits] of Object.entries(moments)) {
      assert(
        hits >= 0.8 * rollouts,
        `${name}: ${hits} of ${rollouts} (${JSON.stringify(moments)})`,
      );
    }
  });
});

interface Device {
  started: number;
  finished: number;
  fails: boolean;
}

/** A rollout whose devices poll and update in random times. Seconds count from its start. */
function simulate(random: Random) {
  const strategy = random.pick<RolloutStrategy>(ROLLOUT_STRATEGIES);
  const size = Math.round(5 * 100 ** random.share());
  const pollSeconds = Math.round(10 * 90 ** random.share());
  const typical = 5 * 200 ** random.share();
  const spread = 0.15 + 0.35 * random.share();
  const failureShare = 0.1 * random.share();
  let released = 0;
  const batches = planBatches({ strategy, percentage: 25 }, size).map((plan) => {
    const devices = Array.from({ length: plan.size }, (): Device => {
      const started = released + pollSeconds * (0.9 + 0.2 * random.share()) * random.share();
      const duration = typical * Math.exp(spread * normal(random));
      return { started, finished: started + duration, fails: random.share() < failureShare };
    });
    const batch = { releasedAt: released, devices };
    released = Math.max(...devices.map((device) => device.finished)) + 1;
    return batch;
  });
  const known = Array.from({ length: 200 }, () => typical * Math.exp(spread * normal(random)));
  const earlier = known.reduce((sum, one) => sum + one, 0) / known.length;
  return {
    end: released - 1,
    inputAt: (moment: number): ForecastInput => {
      const done = batches
        .flatMap((batch) => batch.devices)
        .filter((device) => device.finished <= moment && !device.fails);
      const total = done.reduce((sum, device) => sum + device.finished - device.started, 0);
      return input({
        now: at(moment),
        strategy,
        pollSeconds,
        durations:
          done.length === 0 ? null : { updates: done.length, meanSeconds: total / done.length },
        recentDurations: { updates: known.length, meanSeconds: earlier },
        batches: batches.map(({ releasedAt, devices }) => ({
          size: devices.length,
          releasedAt: releasedAt <= moment ? at(releasedAt) : null,
          breakdown: breakdown({
            pending: devices.filter((one) => one.started > moment).length,
            downloading: devices.filter((one) => one.started <= moment && one.finished > moment)
              .length,
            completed: devices.filter((one) => one.finished <= moment && !one.fails).length,
            failed: devices.filter((one) => one.finished <= moment && one.fails).length,
          }),
        })),
      });
    },
  };
}

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.share())) * Math.cos(2 * Math.PI * random.share());
}
