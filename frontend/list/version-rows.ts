import type { OtaMetrics } from '../../backend/contract/admin-api.ts';
import { byVersion } from '../shared/format.ts';

export type VersionCount = OtaMetrics['versions'][number];

/** Devices of one type on one version, or on several older versions combined. */
export interface VersionPart {
  /** `[null]`: devices whose version is unknown. */
  versions: (string | null)[];
  count: number;
}

export interface VersionRow {
  type: string | null;
  total: number;
  /** Newest first, the unknown ones last. */
  parts: VersionPart[];
}

/**
 * One row per device type, the most frequent first. Versions are ordered within their type only, since types
 * have independent version histories. Beyond `maxParts` versions, the oldest are combined into one part, so that
 * the shades of a bar remain distinguishable.
 */
export function versionRows(counts: readonly VersionCount[], maxParts: number): VersionRow[] {
  const byType = new Map<string | null, VersionCount[]>();
  for (const entry of counts) {
    byType.set(entry.device_type, [...(byType.get(entry.device_type) ?? []), entry]);
  }
  return [...byType]
    .map(([type, entries]) => ({
      type,
      total: sum(entries),
      parts: partsOf(entries, maxParts),
    }))
    .sort((a, b) => b.total - a.total);
}

function partsOf(entries: readonly VersionCount[], maxParts: number): VersionPart[] {
  const known = entries
    .filter((entry) => entry.version !== null)
    .sort((a, b) => byVersion(b.version, a.version));
  const unknown = entries.filter((entry) => entry.version === null);
  const room = known.length > maxParts ? maxParts - 1 : maxParts;
  const older = known.slice(room);
  return [
    ...known.slice(0, room).map(({ version, count }) => ({ versions: [version], count })),
    ...(older.length > 0
      ? [{ versions: older.map((entry) => entry.version), count: sum(older) }]
      : []),
    ...(unknown.length > 0 ? [{ versions: [null], count: sum(unknown) }] : []),
  ];
}

function sum(entries: readonly VersionCount[]): number {
  return entries.reduce((total, entry) => total + entry.count, 0);
}
