import type { RolloutPolicy } from '../../contract/admin-api.ts';
import type { RolloutStrategy } from '../../contract/states.ts';

/** Defaults of docs/contract.md, Strategies. */
export function defaultPolicy(strategy: RolloutStrategy): RolloutPolicy {
  return {
    failure_threshold_percent: 25,
    failure_min_devices: 5,
    device_timeout_minutes: 60,
    pickup_timeout_hours: strategy === 'rolling' ? 24 : null,
  };
}
