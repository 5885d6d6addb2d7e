import type { DeviceFilters } from '../../backend/contract/admin-api.ts';
import { texts } from '../texts/texts.ts';

/** Filters as pairs of label and value, in the order of the form; empty for "all devices". */
export function describeFilters(filters: DeviceFilters): { name: string; value: string }[] {
  const f = texts.wizard.fields;
  const rows: { name: string; value: string }[] = [];
  const add = (field: string, value: string) => rows.push({ name: f[field] ?? field, value });
  if (filters.device_ids && filters.device_ids.length > 0) {
    add('device_ids', texts.settings.picked(filters.device_ids.length));
  }
  if (filters.device_type) add('device_type', filters.device_type);
  if (filters.current_version) {
    add('current_version', `${filters.version_operator ?? '!='} ${filters.current_version}`);
  }
  if (filters.status) add('status', texts.connection[filters.status]);
  return rows;
}
