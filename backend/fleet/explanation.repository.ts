import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import { Database } from '../database/database.ts';
import { readSituations } from '../deployments/reading/waiting.sql.ts';
import type { ExplainedDevice, ExplanationRepository } from './explanation.ports.ts';

@injectable()
export class KnexExplanationRepository implements ExplanationRepository {
  constructor(@inject(Database) private readonly knex: Knex) {}

  async find(organizationId: string, deviceId: string): Promise<ExplainedDevice | null> {
    const device = await this.knex('edge_devices')
      .where({ id: deviceId, organization_id: organizationId })
      .first<{ device_name: string | null } | undefined>('device_name');
    const situations = device && (await readSituations(this.knex, organizationId, [deviceId]));
    const situation = situations?.get(deviceId);
    return device && situation ? { name: device.device_name, situation } : null;
  }
}
