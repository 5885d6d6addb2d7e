import { decidePoll, type OpenTarget } from '../deployments/rules/poll-decision.ts';
import { nextTarget } from '../deployments/rules/waiting.ts';

/**
 * The target that a device works on or would get next: a requested rollback first, then the unfinished target that
 * explanations are about by default. `null`: none.
 */
export function currentTarget<T extends OpenTarget>(open: readonly T[]): T | null {
  const answer = decidePoll(open);
  return answer.kind === 'rollback' ? answer.target : nextTarget(open);
}
