/** Decides what a report changes and what the response is, by the rules of docs/contract.md, States. */
import type { StatusResponse, StatusReport } from '../contract/device-api.ts';
import type { Deployment, Target } from '../deployments/model/deployment.types.ts';
import {
  heartbeat,
  reported,
  rollbackFailed,
  reportContextOf,
} from '../deployments/rules/target-changes.ts';
import { isUpdating, judgeReport, shouldAbort } from '../deployments/rules/target-reports.ts';
import type { TargetDecision } from '../deployments/targets/target-transitions.service.ts';
import type { DeviceIdentity } from '../host-contract.ts';
import { DomainError, invalidRequest, notFound } from '../kernel/errors.ts';

/** A rejected report is an `Error` value, so that it does not fail the other reports of the transaction. */
export type ReportOutcome = StatusResponse | Error;

export interface ReportCall {
  device: DeviceIdentity;
  deploymentId: string;
  report: StatusReport;
}

export function decideReport(
  { device, report }: ReportCall,
  target: Target | null,
  deployment: Deployment | null,
  now: Date,
): TargetDecision<ReportOutcome> {
  if (!target || deployment?.organizationId !== device.organizationId) {
    return { result: notFound('This device in this deployment') };
  }
  const situation = reportContextOf(target, deployment);
  const verdict = judgeReport(situation, {
    status: report.status,
    attempt: report.attempt,
    errorMessage: report.error_message,
  });
  const response: StatusResponse = {
    status: 'success',
    message: `Recorded: ${report.status}`,
    directive: shouldAbort(situation, report.status) ? 'abort' : 'continue',
  };
  switch (verdict.kind) {
    case 'apply':
      return {
        result: response,
        ...reported(target, deployment, report, verdict.status, now),
      };
    case 'repeat':
      return isUpdating(target.status)
        ? { result: response, next: heartbeat(target, report, now) }
        : { result: response };
    case 'rollback_failed':
      return { result: response, ...rollbackFailed(target, deployment, report) };
    case 'future_attempt':
      return {
        result: invalidRequest([
          { path: 'attempt', message: `the current attempt is ${target.attempt}` },
        ]),
      };
    default:
      return { result: rejected(verdict.kind, target, report) };
  }
}

function rejected(
  kind: 'stale_attempt' | 'not_released' | 'stale_status',
  target: Target,
  report: StatusReport,
): DomainError {
  switch (kind) {
    case 'stale_attempt':
      return new DomainError(
        'stale_attempt',
        `The report is for attempt ${report.attempt}, but the current attempt is ${target.attempt}. ` +
          'Check for updates again.',
      );
    case 'not_released':
      return new DomainError(
        'invalid_state',
        'This update has not been released to the device. Check for updates first.',
        { current_status: target.status, allowed_actions: [] },
      );
    case 'stale_status':
      return new DomainError(
        'stale_status',
        `The device is recorded as ${target.status}` +
          `${target.errorMessage ? ` (${target.errorMessage})` : ''}; ` +
          `${report.status} cannot follow.`,
        { current_status: target.status },
      );
  }
}
