import type { DeploymentImpact } from '../../backend/contract/admin-api.ts';
import type { ImpactReason } from '../../backend/contract/states.ts';
import { texts } from '../texts/texts.ts';

/** How many types are named; the rest are counted. */
const NAMED_TYPES = 5;

/** The number of devices, the changes of their versions and their types, one sentence each. */
export function describeImpact(impact: DeploymentImpact): string[] {
  const t = texts.impact;
  const { changes, by_type: types } = impact;
  const named = types
    .slice(0, NAMED_TYPES)
    .map(({ device_type, count }) => t.type(device_type ?? texts.metrics.unknownType, count));
  const more = types.length - named.length;
  return [
    t.share(impact.devices, impact.fleet_devices),
    ...(['upgrade', 'downgrade', 'same', 'unknown'] as const)
      .filter((change) => changes[change] > 0)
      .map((change) => t.change[change](changes[change])),
    ...(types.length > 0
      ? [t.types(types.length, [...named, ...(more > 0 ? [t.moreTypes(more)] : [])].join(', '))]
      : []),
  ];
}

/** Why the number of devices has to be typed; empty if it does not. */
export function impactWarnings(impact: DeploymentImpact): string[] {
  const t = texts.impact.because;
  const describe: Record<ImpactReason, () => string> = {
    downgrade: () => t.downgrade(impact.changes.downgrade),
    several_types: () => t.several_types(impact.by_type.length),
    large_share: () => t.large_share(impact.devices, impact.fleet_devices),
  };
  return impact.confirm_because.map((reason) => describe[reason]());
}

/**
 * What happens to the devices if the update fails: a warning about those that nothing brings back, and a note about those
 * that have not reported it. `null`: there are none.
 */
export function describeProtection({ devices, protection }: DeploymentImpact): {
  warning: string | null;
  note: string | null;
} {
  const t = texts.impact;
  const { none, unknown } = protection;
  const note = none > 0 ? t.unreported(unknown) : t.unreportedOnly(unknown, devices);
  return {
    warning: none > 0 ? t.unprotected(none, devices) : null,
    note: unknown > 0 ? note : null,
  };
}

/** Whether the typed text is this number; digits may be grouped, as the page groups them. */
export function matchesCount(typed: string, count: number): boolean {
  return typed.replace(/[\s,.'’]/g, '') === String(count);
}
