/** Turns the options of `ota deploy` into a plan, and its failures into exit codes. */
import { UsageError } from '../../kernel/errors.ts';
import type { CreateDeploymentRequest } from '../../../backend/contract/admin-api.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { readLine, readText } from '../files.ts';
import { printRefusal, readToken } from './admin-access.ts';
import { Refused, connect } from './admin-api.ts';
import { type DeployPlan, deploy } from './deploy.ts';
import { deploymentRequest } from './deployment-request.ts';
import { RolloutReport } from './rollout-report.ts';

export interface DeployOptions {
  file?: string;
  manifest?: string;
  signature?: string;
  packageUrl?: string;
  skipUpToDate?: boolean;
  server: string;
  tokenFile?: string;
  start?: boolean;
  /** Id of an existing deployment. */
  watch?: true | string;
  expand?: number;
  /** Seconds, these three. */
  canaryWait: number;
  timeout: number;
  unreachableAfter: number;
  json?: boolean;
}

/** @throws {UsageError} */
export async function runDeploy(options: DeployOptions): Promise<ExitCode> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  const plan: DeployPlan = {
    deployment: await whichDeployment(options),
    start: options.start ?? false,
    watch: options.watch !== undefined,
    expand: options.expand ?? null,
    canaryWaitMs: options.canaryWait * 1000,
    timeoutMs: options.timeout * 1000,
    unreachableMs: options.unreachableAfter * 1000,
    stop: stop.signal,
  };
  if (plan.expand !== null && !plan.watch) {
    throw new UsageError(
      '--expand needs --watch: a canary is expanded when it is healthy.',
      EXIT.usage,
    );
  }
  const api = connect(options.server, await readToken(options.tokenFile));
  process.once('SIGTERM', onSignal).once('SIGINT', onSignal);
  try {
    return await deploy(api, plan, new RolloutReport(options.json ?? false));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    printRefusal(error, options.json ?? false);
    return EXIT.refused;
  } finally {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
    await api.close();
  }
}

async function whichDeployment(options: DeployOptions): Promise<CreateDeploymentRequest | string> {
  const { file, watch, manifest, signature, packageUrl, skipUpToDate } = options;
  if (file === undefined) {
    if (typeof watch === 'string') return watch;
    throw new UsageError(
      'Give --file deployment.json, or --watch ID for an existing deployment.',
      EXIT.usage,
    );
  }
  if (typeof watch === 'string') {
    throw new UsageError(
      '--file creates a deployment, --watch ID watches an existing one: give one of them.',
      EXIT.usage,
    );
  }
  return deploymentRequest({
    deployment: await readText(file, 'The deployment'),
    manifest: manifest && (await readText(manifest, 'The manifest')),
    signature: signature && (await readLine(signature, 'The signature')),
    packageUrl,
    skipUpToDate,
  });
}
