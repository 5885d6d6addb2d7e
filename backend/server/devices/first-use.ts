/** Enrols devices on first use, and records the requests that it refuses. */
import DataLoader from 'dataloader';
import type { Knex } from 'knex';
import type { Logger } from 'pino';

import type { DeviceIdentity } from '../../host-contract.ts';
import { StatementSlot } from '../host/statement-slot.ts';
import { fingerprint } from './fingerprint.ts';
import { judge, tokensToRecord, type DeviceStanding, type Verdict } from './enrolment-rule.ts';
import {
  enrolDevices,
  readStandings,
  recordRequests,
  removeRequests,
  type RefusedRequest,
  type TokenOfDevice,
} from './enrolment.repository.ts';

/** Claims share statements, of which at most 50 a second start, however many strangers send requests. */
const MIN_INTERVAL_MS = 20;
const MAX_BATCH = 5_000;

/** A request whose token is bound to no device. */
export interface Claim extends TokenOfDevice {
  address: string | null;
}

/** Claims that arrive together share their statements; each device is read once. */
export function createFirstUse(
  knex: Knex,
  logger: Logger,
  hoursAfterRegistration: number,
): (claim: Claim) => Promise<DeviceIdentity | null> {
  const slot = new StatementSlot(MIN_INTERVAL_MS);
  const batch = new ClaimBatch(knex, logger, hoursAfterRegistration);
  const claims = new DataLoader<Claim, DeviceIdentity | null>(
    (together) => batch.settle(together).finally(() => slot.release()),
    {
      cache: false,
      maxBatchSize: MAX_BATCH,
      batchScheduleFn: (dispatch) => slot.acquire(dispatch),
    },
  );
  return (claim) => claims.load(claim);
}

class ClaimBatch {
  readonly #knex: Knex;
  readonly #logger: Logger;
  readonly #hours: number;

  constructor(knex: Knex, logger: Logger, hoursAfterRegistration: number) {
    this.#knex = knex;
    this.#logger = logger;
    this.#hours = hoursAfterRegistration;
  }

  /** The devices of the claims, in their order; `null`: refused. */
  async settle(claims: readonly Claim[]): Promise<(DeviceIdentity | null)[]> {
    const devices = await this.#standings(claims);
    const enrolling = firstPerDevice(claims, devices);
    if (enrolling.length > 0) {
      await this.#enrol(enrolling, devices);
      for (const [id, device] of await this.#standings(enrolling)) devices.set(id, device);
    }
    const refused: RefusedRequest[] = [];
    const identities = claims.map((claim) => {
      const device = devices.get(claim.deviceId);
      if (!device) return null;
      const verdict: Verdict = judge(device, claim.tokenHash);
      if (verdict === 'enrolled') {
        return { deviceId: device.deviceId, organizationId: device.organizationId };
      }
      // `enrol`: its token belongs to another device, or the window has just closed; it tries again.
      if (verdict !== 'enrol') refused.push({ ...claim, reason: verdict });
      return null;
    });
    await this.#record(refused, devices);
    return identities;
  }

  async #standings(
    claims: readonly Pick<Claim, 'deviceId'>[],
  ): Promise<Map<string, DeviceStanding>> {
    const ids = [...new Set(claims.map(({ deviceId }) => deviceId))];
    const found = await readStandings(this.#knex, ids, this.#hours);
    return new Map(found.map((device) => [device.deviceId, device]));
  }

  async #enrol(
    claims: readonly Claim[],
    devices: ReadonlyMap<string, DeviceStanding>,
  ): Promise<void> {
    const enrolled = await enrolDevices(this.#knex, claims, this.#hours);
    const settled: TokenOfDevice[] = [];
    for (const { deviceId, tokenHash } of enrolled) {
      const device = devices.get(deviceId);
      this.#logger.info(
        {
          action: 'enrol',
          actor: { address: claims.find((claim) => claim.deviceId === deviceId)?.address ?? null },
          window: device?.window,
          device_id: deviceId,
          organization_id: device?.organizationId,
          token_fingerprint: fingerprint(tokenHash),
        },
        'Device enrolled on first use',
      );
      if (device?.requests.some((request) => request.tokenHash === tokenHash)) {
        settled.push({ deviceId, tokenHash });
      }
    }
    if (settled.length > 0) await removeRequests(this.#knex, settled);
  }

  async #record(
    refused: readonly RefusedRequest[],
    devices: ReadonlyMap<string, DeviceStanding>,
  ): Promise<void> {
    const toRecord = [...groupByDevice(refused)].flatMap(([deviceId, requests]) => {
      const byToken = new Map(requests.map((request) => [request.tokenHash, request]));
      const remembered = devices.get(deviceId)?.requests ?? [];
      return tokensToRecord(remembered, [...byToken.keys()]).flatMap(
        (tokenHash) => byToken.get(tokenHash) ?? [],
      );
    });
    if (toRecord.length === 0) return;
    const added = await recordRequests(this.#knex, toRecord);
    for (const { deviceId, tokenHash } of added) {
      const request = toRecord.find(
        (one) => one.deviceId === deviceId && one.tokenHash === tokenHash,
      );
      this.#logger.warn(
        {
          action: 'refuse',
          reason: request?.reason,
          actor: { address: request?.address ?? null },
          device_id: deviceId,
          organization_id: devices.get(deviceId)?.organizationId,
          token_fingerprint: fingerprint(tokenHash),
        },
        'Device token refused; an admin can admit it',
      );
    }
  }
}

/** Only the first token of each device is tried: a flood of tokens must not write for each one. */
function firstPerDevice(
  claims: readonly Claim[],
  devices: ReadonlyMap<string, DeviceStanding>,
): Claim[] {
  const first = new Map<string, Claim>();
  for (const claim of claims) {
    const device = devices.get(claim.deviceId);
    if (!device || first.has(claim.deviceId)) continue;
    if (judge(device, claim.tokenHash) === 'enrol') first.set(claim.deviceId, claim);
  }
  return [...first.values()];
}

function groupByDevice(requests: readonly RefusedRequest[]): Map<string, RefusedRequest[]> {
  const groups = new Map<string, RefusedRequest[]>();
  for (const request of requests) {
    const group = groups.get(request.deviceId);
    if (group) group.push(request);
    else groups.set(request.deviceId, [request]);
  }
  return groups;
}
