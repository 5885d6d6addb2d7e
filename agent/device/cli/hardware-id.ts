/** The id of this device’s hardware. */
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { UsageError } from '../../kernel/errors.ts';
import { EXIT } from '../../kernel/exit-codes.ts';

/**
 * The machine id, else a MAC address.
 * @throws {UsageError} when there is neither
 */
export async function findHardwareId(): Promise<string> {
  const machineId = await readFile('/etc/machine-id', 'utf8').catch(() => '');
  if (machineId.trim()) return machineId.trim();
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const mac = addresses.find((one) => !one.internal && one.mac !== '00:00:00:00:00:00')?.mac;
  if (mac) return mac;
  throw new UsageError('Nothing identifies this hardware; give --hardware-id.', EXIT.usage);
}
