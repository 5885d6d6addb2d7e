import type { DeploymentPreview } from '../../backend/contract/admin-api.ts';
import type { RolloutStrategy } from '../../backend/contract/states.ts';
import { texts } from '../texts/texts.ts';

/** The batch plan in one sentence: "9 devices now, 36 after you expand". */
export function describePlan(
  preview: Pick<DeploymentPreview, 'batches' | 'matching_devices'>,
  strategy: RolloutStrategy,
): string {
  const t = texts.wizard.plan;
  const first = preview.batches[0];
  if (!first) return t.none;
  if (strategy === 'canary') return t.canary(first.size, preview.matching_devices - first.size);
  if (strategy === 'rolling') {
    const last = preview.batches.at(-1) ?? first;
    return t.rolling(first.size, preview.batches.length, last.size);
  }
  return t.all(preview.matching_devices);
}
