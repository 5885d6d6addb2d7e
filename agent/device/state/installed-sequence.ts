/** The highest manifest sequence that was ever installed on this device. */
import { join } from 'node:path';
import { readIfPresent, writeDurable } from '../../files/durable-file.ts';
import { withRoom } from '../../files/room.ts';
import type { AgentConfig } from '../config/agent-config.ts';

/**
 * The highest manifest sequence that was ever installed. Kept apart from the journal, so that a
 * damaged journal does not open the way to old versions.
 * @throws Error when it is there and cannot be read
 */
export async function readSequence(config: AgentConfig): Promise<number | null> {
  const text = await readIfPresent(join(config.state_dir, 'sequence'));
  if (text === null) return null;
  const sequence = Number(text.trim() || Number.NaN);
  if (!Number.isSafeInteger(sequence)) {
    throw new Error(`${join(config.state_dir, 'sequence')} does not hold a number`);
  }
  return sequence;
}

export async function raiseSequence(config: AgentConfig, sequence: number): Promise<void> {
  if (sequence <= ((await readSequence(config)) ?? -1)) return;
  await withRoom(config.state_dir, () =>
    writeDurable(join(config.state_dir, 'sequence'), `${sequence}\n`),
  );
}
