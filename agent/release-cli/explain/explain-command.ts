/** `ota explain`: finds the device, asks the server, and prints a sentence. */
import { UsageError } from '../../kernel/errors.ts';
import type { DeviceExplanation } from '../../../backend/contract/admin-api.ts';
import { printRefusal, readToken } from '../deploy/admin-access.ts';
import { type AdminApi, Refused, ServerUnavailable, connect } from '../deploy/admin-api.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { sentencesAbout } from './sentences.ts';

export interface ExplainOptions {
  deployment?: string;
  server: string;
  tokenFile?: string;
  json?: boolean;
}

/** Devices that are named when several match. */
const MAX_MATCHES = 10;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** @throws {UsageError} */
export async function runExplain(device: string, options: ExplainOptions): Promise<ExitCode> {
  const { deployment, server, tokenFile, json = false } = options;
  const api = connect(server, await readToken(tokenFile));
  try {
    const explanation = await explain(api, device, deployment);
    console.log(json ? JSON.stringify(explanation) : sentencesAbout(explanation));
    return EXIT.ok;
  } catch (error) {
    if (error instanceof ServerUnavailable) {
      throw new UsageError(`${error.message}.`, EXIT.serverUnreachable);
    }
    if (!(error instanceof Refused)) throw error;
    printRefusal(error, json);
    return EXIT.refused;
  } finally {
    await api.close();
  }
}

/** A UUID may be the id of a device or its hardware id. */
async function explain(
  api: AdminApi,
  device: string,
  deployment: string | undefined,
): Promise<DeviceExplanation> {
  if (!UUID.test(device)) return api.explanation(await findDevice(api, device), deployment);
  try {
    return await api.explanation(device, deployment);
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 404) throw error;
    const { devices } = await api.devices(device, MAX_MATCHES);
    const found = devices.find((one) => one.hardware_id === device);
    if (!found) throw error;
    return api.explanation(found.device_id, deployment);
  }
}

/** The id of the only device whose name or hardware id is or contains the text. */
async function findDevice(api: AdminApi, text: string): Promise<string> {
  const { devices, next_cursor: next } = await api.devices(text, MAX_MATCHES);
  const exact = devices.filter((one) => one.device_name === text || one.hardware_id === text);
  const matching = exact.length > 0 ? exact : devices;
  const [device] = matching;
  if (device && matching.length === 1) return device.device_id;
  if (!device) throw new UsageError(`No device matches ${text}.`, EXIT.usage);
  const names = matching.map((one) => `  ${one.device_id}  ${one.device_name}`);
  throw new UsageError(
    [`Several devices match ${text}; give an id:`, ...names, ...(next ? ['  …'] : [])].join('\n'),
    EXIT.usage,
  );
}
