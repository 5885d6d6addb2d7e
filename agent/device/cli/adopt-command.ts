/** `ota-agent adopt`: takes over a device that another agent has registered. */
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { isSameVersion } from '../../../backend/contract/version.ts';
import { writeCurrentVersion } from '../state/current-version.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { StepFailure, UsageError, messageOf } from '../../kernel/errors.ts';
import { EXIT, type ExitCode } from '../../kernel/exit-codes.ts';
import { findHardwareId } from './hardware-id.ts';
import { ServerUnreachable, createHttpClient } from '../network/http-client.ts';
import { readPollAnswer } from '../network/offer.ts';
import { describeAnswer, isJsonObject } from '../network/answers.ts';
import { createServerApi } from '../network/server-api.ts';
import { parseJsonText } from '../../kernel/json-text.ts';
import { serverOf } from './server-option.ts';
import { removeCycleNote } from '../loop/cycle-note.ts';
import {
  type Credentials,
  readCredentials,
  readRegistration,
  writeCredentials,
} from '../state/credentials.ts';
import { Outbox } from '../reports/outbox.ts';
import { type EndReport, Journal } from '../state/journal.ts';
import { takeLock } from '../../files/lock.ts';
import { endReportBody } from '../updates/end-report.ts';

export interface AdoptOptions {
  server?: string;
  installedVersion: string;
  hardwareId?: string;
  force?: boolean;
}

/**
 * Nothing is written before the server has accepted the credentials. An open update to `installedVersion` is
 * the one that installed this agent: it is recorded as completed, not carried out a second time, and the agent
 * reports that first.
 *
 * @param file JSON with Ops-Center’s answer to the registration; other keys are ignored
 * @throws {UsageError} when the file is unusable, or another device is registered here
 * @throws {StepFailure} when the server refuses the credentials
 * @throws {ServerUnreachable}
 */
export async function adopt(
  config: AgentConfig,
  file: string,
  options: AdoptOptions,
  logger: Logger,
): Promise<ExitCode> {
  const credentials = await credentialsIn(config, file, options);
  const earlier = await readCredentials(config.state_dir).catch(() => null);
  if (earlier && earlier.device_id !== credentials.device_id && !options.force) {
    throw new UsageError(
      `This device is registered already at ${earlier.server_url} as ${earlier.device_id}; --force replaces that.`,
      EXIT.usage,
    );
  }
  const openUpdate = await openUpdateOf(config, credentials);
  await takeLock(config.state_dir);
  const { journal } = await Journal.load(config.state_dir);
  if (openUpdate && isSameVersion(options.installedVersion, openUpdate.target_version)) {
    const { deployment_id, attempt } = openUpdate;
    const end: EndReport = {
      status: 'completed',
      error_message: null,
      installed_version: options.installedVersion,
    };
    const ended_at = new Date().toISOString();
    await journal.finish(openUpdate, { end, ended_at, log_bytes: 0 });
    const outbox = await Outbox.open(config.state_dir, logger);
    await outbox.add({ kind: 'status', deployment_id, body: endReportBody(attempt, end) });
  }
  // The status must not show a cycle from before the adoption.
  await removeCycleNote(config.state_dir);
  await writeCurrentVersion(config, options.installedVersion);
  await writeCredentials(config.state_dir, credentials);
  const { server_url, device_name, device_id } = credentials;
  console.log(`Adopted ${[device_name, device_id].filter(Boolean).join(', ')} at ${server_url}.`);
  return EXIT.ok;
}

async function credentialsIn(
  config: AgentConfig,
  file: string,
  { server, hardwareId }: AdoptOptions,
): Promise<Credentials> {
  let answer: unknown;
  try {
    answer = parseJsonText(await readFile(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${messageOf(error)}`, EXIT.usage);
  }
  let registration: ReturnType<typeof readRegistration>;
  try {
    registration = readRegistration(answer);
  } catch (error) {
    throw new UsageError(`${file} holds no registration: ${messageOf(error)}`, EXIT.usage);
  }
  return {
    ...registration,
    server_url: serverOf(config, server),
    hardware_id: hardwareId ?? (await findHardwareId()),
  };
}

/** The update that is open for the device, once the server has accepted the credentials. */
async function openUpdateOf(
  config: AgentConfig,
  credentials: Credentials,
): Promise<{ deployment_id: string; attempt: number; target_version: string } | null> {
  const http = await createHttpClient(config);
  try {
    const { signal } = new AbortController();
    const answer = await createServerApi(http, () => credentials).checkUpdate(
      { currentVersion: null },
      signal,
    );
    const foreign = (what: string): ServerUnreachable =>
      new ServerUnreachable(
        `Something other than Ops-Center answered at ${credentials.server_url}: ${what}`,
      );
    if (!isJsonObject(answer.body)) throw foreign(describeAnswer(answer));
    if (answer.status !== 200) {
      throw new StepFailure(`The server refused the credentials: ${describeAnswer(answer)}`);
    }
    const offered = readPollAnswer(answer.body);
    if (offered.kind === 'unusable' && !offered.attempt) throw foreign(offered.faults);
    return offered.kind === 'offer' ? offered.offer : null;
  } finally {
    http.close();
  }
}
