/**
 * Health of the device: rounds of all checks until enough of them in a row succeed. A check that fails resets
 * the count and uses up one of its retries; without retries left, or past the deadline, the device is
 * unhealthy.
 */
import { connect } from 'node:net';
import type { AgentConfig, HealthCheck } from '../config/agent-config.ts';
import { StepFailure, messageOf } from '../../kernel/errors.ts';
import { discardBody, sendRequest } from '../network/send-request.ts';
import { describeResult, runCommand } from '../process/run-command.ts';
import { pause, withTimeLimit } from '../../kernel/waiting.ts';
import type { SystemCheck } from './system-checks/system-check.ts';

type AnyCheck = HealthCheck | SystemCheck['check'];

const OUTPUT_LIMIT = 4096;
const KILL_GRACE_MS = 1000;
/** Between two rounds, where no check is configured. */
const INTERVAL_SECONDS = 5;

export interface HealthRequest {
  rules: AgentConfig['health'];
  /** Checks that every device has; see `SystemCheck`. */
  system: SystemCheck | null;
  /** Working folder and environment of command checks. */
  cwd: string;
  env: Record<string, string>;
  signal: AbortSignal;
  onLine: (line: string) => void;
}

/** @throws {StepFailure} naming the checks that failed */
export async function requireHealth(job: HealthRequest): Promise<void> {
  const { passes_required: required, deadline_seconds: limit } = job.rules;
  const checks = [...job.rules.checks, ...(job.system ? [job.system.check] : [])];
  if (checks.length === 0) return;
  const watchUntil = performance.now() + (job.system?.watchMs ?? 0);
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), limit * 1000);
  const signal = AbortSignal.any([job.signal, deadline.signal]);
  const retries = checks.map((check) => check.retries);
  const intervals = job.rules.checks.map((check) => check.interval_seconds);
  const interval = Math.max(...(intervals.length > 0 ? intervals : [INTERVAL_SECONDS])) * 1000;
  let latest = 'no check has finished';
  try {
    for (let passes = 0; ;) {
      const faults = await Promise.all(checks.map((check) => runCheck(check, job, signal)));
      signal.throwIfAborted();
      const failed = checks.flatMap((check, index) => {
        const fault = faults[index];
        return fault ? [{ index, text: `${nameOf(check)} ${fault}` }] : [];
      });
      passes = failed.length === 0 ? passes + 1 : 0;
      if (passes >= required && performance.now() >= watchUntil) return;
      if (failed.length > 0) {
        latest = failed.map((one) => one.text).join('; ');
        job.onLine(`health: ${latest}`);
        for (const { index } of failed) retries[index] = (retries[index] ?? 0) - 1;
        if (retries.some((left) => left < 0))
          throw new StepFailure(`Health check failed: ${latest}`);
      }
      await pause(interval, signal);
    }
  } catch (error) {
    if (job.signal.aborted) throw job.signal.reason;
    if (deadline.signal.aborted) {
      throw new StepFailure(`Health check not passed within ${limit} seconds: ${latest}`);
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** `null`: the check passed. */
async function runCheck(
  check: AnyCheck,
  job: HealthRequest,
  stop: AbortSignal,
): Promise<string | null> {
  if (check.type === 'system') return check.findFault();
  const timeoutMs = check.timeout_seconds * 1000;
  switch (check.type) {
    case 'command':
      return runShell(['-c', check.command], 'bash', job, timeoutMs, stop);
    case 'systemd':
      return runShell(['is-active', check.unit], 'systemctl', job, timeoutMs, stop);
    case 'http':
      return withTimeLimit(timeoutMs, stop, (signal) =>
        checkHttp(check.url, check.expect_status, timeoutMs, signal),
      );
    case 'tcp':
      return withTimeLimit(timeoutMs, stop, (signal) => checkTcp(check.host, check.port, signal));
  }
}

async function runShell(
  args: string[],
  file: string,
  job: HealthRequest,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | null> {
  const result = await runCommand({
    file,
    args,
    cwd: job.cwd,
    env: job.env,
    timeoutMs,
    graceMs: KILL_GRACE_MS,
    outputLimit: OUTPUT_LIMIT,
    signal,
  });
  const fault = describeResult(result, timeoutMs);
  const output = result.output.trim().slice(-300);
  return fault === null ? null : `${fault}${output ? ` (${output})` : ''}`;
}

async function checkHttp(
  url: string,
  expected: number | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    const answer = await sendRequest({
      method: 'GET',
      url: new URL(url),
      headers: { 'user-agent': 'ota-agent' },
      connections: false,
      silenceMs: timeoutMs,
      signal,
    });
    discardBody(answer);
    const { statusCode: status = 0 } = answer;
    const good = expected === undefined ? status >= 200 && status < 300 : status === expected;
    return good ? null : `answered ${status}`;
  } catch (error) {
    return signal.aborted ? 'gave no answer in time' : messageOf(error);
  }
}

function checkTcp(host: string, port: number, signal: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (fault: string | null): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(fault);
    };
    const onAbort = (): void => end('gave no answer in time');
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => end(null));
    socket.once('error', (error) => end(messageOf(error)));
  });
}

function nameOf(check: AnyCheck): string {
  switch (check.type) {
    case 'command':
      return `command "${check.command.slice(0, 100)}"`;
    case 'http':
      return check.url;
    case 'tcp':
      return `tcp ${check.host}:${check.port}`;
    case 'systemd':
      return `unit ${check.unit}`;
    case 'system':
      return 'the device:';
  }
}
