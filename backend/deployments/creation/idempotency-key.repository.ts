import { injectable } from 'inversify';
import { asKnex } from '../../database/knex-unit-of-work.ts';
import type { Transaction } from '../../kernel/unit-of-work.ts';
import type {
  IdempotencyKeys,
  StoredResponse,
  IdempotentRequest,
} from '../model/deployment.ports.ts';

/** How long responses are stored (docs/contract.md, Admin API). */
const RETENTION = `interval '24 hours'`;

@injectable()
export class KnexIdempotencyKeys implements IdempotencyKeys {
  async claim(
    tx: Transaction,
    organizationId: string,
    { key, hash }: IdempotentRequest,
  ): Promise<StoredResponse | null> {
    const knex = asKnex(tx);
    const own = { organization_id: organizationId, key };
    await knex('ota_idempotency_keys')
      .where(own)
      .andWhereRaw(`created_at < now() - ${RETENTION}`)
      .delete();
    // If two requests with the key race, the second waits here until the first commits or rolls back.
    const claimed = await knex('ota_idempotency_keys')
      .insert({ ...own, request_hash: hash })
      .onConflict(['organization_id', 'key'])
      .ignore()
      .returning('key');
    if (claimed.length > 0) return null;
    const row = await knex('ota_idempotency_keys')
      .where(own)
      .first<{ request_hash: string; answer: StoredResponse['response'] }>(
        'request_hash',
        'answer',
      );
    return { hash: row.request_hash, response: row.answer };
  }

  async store(
    tx: Transaction,
    organizationId: string,
    key: string,
    response: StoredResponse['response'],
  ): Promise<void> {
    await asKnex(tx)('ota_idempotency_keys')
      .where({ organization_id: organizationId, key })
      .update({ answer: JSON.stringify(response) });
  }

  async deleteExpired(tx: Transaction, limit: number): Promise<number> {
    const { rowCount } = await asKnex(tx).raw<{ rowCount: number }>(
      `DELETE FROM ota_idempotency_keys WHERE (organization_id, key) IN (
         SELECT organization_id, key FROM ota_idempotency_keys
         WHERE created_at < now() - ${RETENTION} ORDER BY created_at LIMIT ?)`,
      [limit],
    );
    return rowCount;
  }
}
