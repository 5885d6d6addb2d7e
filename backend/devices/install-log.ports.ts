import type { InstallLogs } from '../contract/admin-api.ts';
import type { Transaction } from '../kernel/unit-of-work.ts';
import { token } from '../kernel/token.ts';

export interface LogChunk {
  deploymentId: string;
  deviceId: string;
  attempt: number;
  startOffset: number;
  chunk: string;
  bytes: number;
}

export interface InstallLogRepository {
  /** Bytes stored for an attempt. Call with the target's row locked. */
  size(
    tx: Transaction,
    key: Pick<LogChunk, 'deploymentId' | 'deviceId' | 'attempt'>,
  ): Promise<number>;
  append(tx: Transaction, chunk: LogChunk): Promise<void>;
  /** Each attempt's log, oldest attempt first. */
  read(deploymentId: string, deviceId: string): Promise<InstallLogs>;
}
export const InstallLogRepository = token<InstallLogRepository>('InstallLogRepository');
