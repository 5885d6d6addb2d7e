import type { CanaryCoverage, DeviceKind } from '../../backend/contract/admin-api.ts';
import { texts } from '../texts/texts.ts';

/** How many missing kinds are named; the rest are counted. */
const NAMED_KINDS = 5;

/** The kinds of devices that the first batch does not cover, and the percentage that would; `null`: it covers all. */
export function describeMissing(coverage: CanaryCoverage): string | null {
  const t = texts.wizard.coverage;
  const missing = coverage.kinds - coverage.covered_kinds;
  if (missing === 0) return null;
  const named = coverage.missing.slice(0, NAMED_KINDS).map(describeKind);
  const more = missing - named.length;
  const list = [...named, ...(more > 0 ? [t.more(more)] : [])].join(', ');
  return `${t.missing(list)} ${t.percentage(coverage.percentage_for_all)}`;
}

function describeKind({ device_type, version, attributes, count }: DeviceKind): string {
  const t = texts.wizard.coverage;
  const values = Object.entries(attributes).map(([key, value]) =>
    t.attribute(key, value ?? t.noValue),
  );
  return t.kind(device_type ?? t.noType, version ?? t.noVersion, values.join(''), count);
}
