/** What scripts and health checks are told about the update. */
import type { ActiveWork } from '../state/journal.ts';

/** @param root `root` of the configuration */
export function scriptEnvironment(root: string, work: ActiveWork): Record<string, string> {
  return {
    OTA_ROOT: root,
    OTA_TARGET_VERSION: work.target_version,
    OTA_PREVIOUS_VERSION: work.previous_version ?? '',
    OTA_DEPLOYMENT_ID: work.deployment_id,
  };
}
