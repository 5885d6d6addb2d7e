import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { InstallLogs } from '../contract/admin-api.ts';
import { asKnex } from '../database/knex-unit-of-work.ts';
import type { Transaction } from '../kernel/unit-of-work.ts';
import type { InstallLogRepository, LogChunk } from './install-log.ports.ts';
import { Database } from '../database/database.ts';

@injectable()
export class KnexInstallLogRepository implements InstallLogRepository {
  constructor(@inject(Database) private readonly knex: Knex) {}

  async size(
    tx: Transaction,
    key: Pick<LogChunk, 'deploymentId' | 'deviceId' | 'attempt'>,
  ): Promise<number> {
    const row = await asKnex(tx)('ota_install_logs')
      .where({ deployment_id: key.deploymentId, device_id: key.deviceId, attempt: key.attempt })
      .sum<{ bytes: string | null }[]>('bytes as bytes')
      .first();
    return Number(row?.bytes ?? 0);
  }

  async append(tx: Transaction, chunk: LogChunk): Promise<void> {
    await asKnex(tx)('ota_install_logs').insert({
      deployment_id: chunk.deploymentId,
      device_id: chunk.deviceId,
      attempt: chunk.attempt,
      start_offset: chunk.startOffset,
      bytes: chunk.bytes,
      chunk: chunk.chunk,
    });
  }

  async read(deploymentId: string, deviceId: string): Promise<InstallLogs> {
    const rows = await this.knex('ota_install_logs')
      .select<{ attempt: number; log: string; bytes: string; updated_at: Date }[]>(
        'attempt',
        this.knex.raw(`string_agg(chunk, '' ORDER BY start_offset) AS log`),
        this.knex.raw('sum(bytes) AS bytes'),
        this.knex.raw('max(at) AS updated_at'),
      )
      .where({ deployment_id: deploymentId, device_id: deviceId })
      .groupBy('attempt')
      .orderBy('attempt');
    return {
      attempts: rows.map((row) => ({
        attempt: row.attempt,
        log: row.log,
        bytes: Number(row.bytes),
        updated_at: row.updated_at.toISOString(),
      })),
    };
  }
}
