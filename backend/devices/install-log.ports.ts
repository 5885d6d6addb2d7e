import type { InstallLogs } from '../contract/admin-api.ts';
import type { Transaction } from '../kernel/unit-of-work.ts';
import { token } from '../kernel/token.ts';

/** A chunk of an installation log. Offset and size are in UTF-8 bytes. */
export interface LogChunk {
  deploymentId: string;
  deviceId: string;
  attempt: number;
  startOffset: number;
  chunk: string;
  bytes: number;
}

export interface InstallLogRepository {
  /** The number of bytes stored for an attempt. The target must be locked. */
  size(
    tx: Transaction,
    key: Pick<LogChunk, 'deploymentId' | 'deviceId' | 'attempt'>,
  ): Promise<number>;
  append(tx: Transaction, chunk: LogChunk): Promise<void>;
  /** The logs of all attempts, oldest first. */
  read(deploymentId: string, deviceId: string): Promise<InstallLogs>;
}
export const InstallLogRepository = token<InstallLogRepository>('InstallLogRepository');
