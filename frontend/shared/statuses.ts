import type {
  DeploymentStatus,
  RolloutStrategy,
  TargetStatus,
} from '../../backend/contract/states.ts';
import type { IconName } from './icons.ts';

/** Meaning of a color on this page. A tone never stands alone: an icon and a label go with it. */
export type Tone = 'neutral' | 'info' | 'success' | 'warning' | 'danger' | 'muted';

export interface StatusStyle {
  tone: Tone;
  icon: IconName;
}

export const DEPLOYMENT_STYLE: Record<DeploymentStatus, StatusStyle> = {
  pending: { tone: 'neutral', icon: 'clock' },
  in_progress: { tone: 'info', icon: 'progress' },
  paused: { tone: 'warning', icon: 'pause' },
  completed: { tone: 'success', icon: 'check' },
  failed: { tone: 'danger', icon: 'alert' },
  cancelled: { tone: 'muted', icon: 'ban' },
};

export const TARGET_STYLE: Record<TargetStatus, StatusStyle> = {
  pending: { tone: 'neutral', icon: 'clock' },
  downloading: { tone: 'info', icon: 'download' },
  installing: { tone: 'info', icon: 'gear' },
  verifying: { tone: 'info', icon: 'pulse' },
  completed: { tone: 'success', icon: 'check' },
  failed: { tone: 'danger', icon: 'alert' },
  skipped: { tone: 'muted', icon: 'skip' },
  rolled_back: { tone: 'warning', icon: 'undo' },
};

/** Order of the segments in a progress bar, from the most to the least advanced. */
export const PROGRESS_ORDER: readonly TargetStatus[] = [
  'completed',
  'verifying',
  'installing',
  'downloading',
  'rolled_back',
  'failed',
  'skipped',
  'pending',
];

export const STRATEGY_RISK: Record<RolloutStrategy, 'low' | 'medium' | 'high'> = {
  manual: 'low',
  immediate: 'high',
  canary: 'medium',
  rolling: 'medium',
};
