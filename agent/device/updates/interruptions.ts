/** How often a step may be interrupted by the agent or the device stopping. */
import type { AgentConfig } from '../config/agent-config.ts';
import type { ActiveWork } from '../state/journal.ts';
import { type InterruptionLimit, ruleOf } from '../state/step-table.ts';

const LIMITS: Record<InterruptionLimit, (config: AgentConfig) => number> = {
  'install.max_interrupted_starts': ({ install }) => install.max_interrupted_starts,
  'health.max_interrupted_runs': ({ health }) => health.max_interrupted_runs,
};

/** Whether the step of this work has been interrupted as often as is allowed. */
export function isExhausted(config: AgentConfig, work: ActiveWork, interruptions: number): boolean {
  const { afterPowerCut } = ruleOf(work);
  if (afterPowerCut.action !== 'repeat' || !afterPowerCut.limit) return false;
  return interruptions >= LIMITS[afterPowerCut.limit.key](config);
}
