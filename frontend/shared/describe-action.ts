import type { DeploymentDetail } from '../../backend/contract/admin-api.ts';
import type { DeploymentAction } from '../../backend/contract/states.ts';
import { texts } from '../texts/texts.ts';

/** Texts that confirm an action; they always name the number of affected devices. */
export interface ActionDescription {
  sentences: string[];
  warnings: string[];
  button: string;
}

/** Number of devices that an expansion to `percentage` (0–100) would release; the share is rounded down. */
export function expansionSize(
  detail: Pick<DeploymentDetail, 'total_devices' | 'released_devices'>,
  percentage: number,
): number {
  const share = Math.floor((detail.total_devices * percentage) / 100);
  return Math.max(0, share - detail.released_devices);
}

/** Number of devices that an expansion can still update; some unreleased ones may already be skipped. */
export function waitingForExpansion({ batches }: Pick<DeploymentDetail, 'batches'>): number {
  return batches
    .filter(({ state }) => state === 'planned')
    .reduce((sum, { status_breakdown: { pending } }) => sum + pending, 0);
}

/** @param adds number of devices that an expansion would release; only used for `expand` */
export function describeAction(
  action: DeploymentAction,
  detail: DeploymentDetail,
  adds: number,
): ActionDescription {
  const t = texts.confirm;
  const { progress, total_devices: total } = detail;
  switch (action) {
    case 'start': {
      const first = detail.batches[0]?.size ?? total;
      const sentence = first < total ? t.start.staged(first, total) : t.start.all(total);
      return { sentences: [sentence], warnings: [], button: t.start.button(first) };
    }
    case 'pause':
      return {
        sentences: [t.pause.body(progress.in_progress, progress.pending)],
        warnings: [],
        button: t.pause.button,
      };
    case 'resume':
      return {
        sentences: [t.resume.body(progress.pending)],
        warnings:
          detail.paused_reason === 'failure_threshold' ? [t.resume.threshold(progress.failed)] : [],
        button: t.resume.button,
      };
    case 'cancel':
      return {
        sentences: [t.cancel.body(progress.pending, progress.in_progress)],
        warnings: [],
        button: t.cancel.button(progress.pending + progress.in_progress),
      };
    case 'expand': {
      const unsuccessful = progress.failed + progress.rolled_back;
      const unfinished = progress.in_progress + progress.pending - waitingForExpansion(detail);
      return {
        sentences: [t.expand.body(detail.released_devices, total)],
        warnings: [
          ...(unsuccessful > 0 ? [t.expand.failed(unsuccessful)] : []),
          ...(unfinished > 0 ? [t.expand.early(unfinished)] : []),
        ],
        button: t.expand.button(adds),
      };
    }
    case 'retry':
      return {
        sentences: [
          t.retry.body(
            detail.status_breakdown.failed,
            detail.retryable_devices - detail.status_breakdown.failed,
          ),
        ],
        warnings: [],
        button: t.retry.button(detail.retryable_devices),
      };
  }
}
