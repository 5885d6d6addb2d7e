/** When a deployment will have finished. */
import type { AssumedAction } from '../../backend/contract/states.ts';
import { plural } from './numbers.ts';

const ACTIONS: Record<AssumedAction, string> = {
  start: 'start it now',
  resume: 'resume it now',
  expand: 'expand it as soon as the canary has finished',
};

export const forecast = {
  likely: (likely: string, earliest: string, latest: string, assumes: readonly AssumedAction[]) => {
    const range = earliest === latest ? '' : ` (${earliest} to ${latest})`;
    const actions = assumes.map((action) => ACTIONS[action]).join(' and ');
    return `${actions === '' ? 'Likely' : `If you ${actions}, likely`} finished in ${likely}${range}.`;
  },
  open: (notPolling: number, earliest: string) => {
    const cause =
      notPolling > 0
        ? `${plural(notPolling, 'device does', 'devices do')} not poll`
        : 'Some devices may not poll';
    return `No end in sight: ${cause}, and the deployment has no pickup timeout. Earliest end: in ${earliest}.`;
  },
  left: (likely: string) => `about ${likely} left`,
  basis: {
    this_deployment: (updates: number) =>
      `Based on ${plural(updates, 'update', 'updates')} of this deployment. Nine of ten deployments finish within the range.`,
    recent_deployments: (updates: number) =>
      `Based on ${plural(updates, 'update', 'updates')} of your latest deployments. Nine of ten deployments finish within the range.`,
    assumed: () => 'Based on three minutes per update, because no update has completed yet.',
  },
};
