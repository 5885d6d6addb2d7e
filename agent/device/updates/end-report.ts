/** The report about an attempt's end as it goes over the wire. Pure. */
import type { StatusReport } from '../../../backend/contract/device-api.ts';
import { wellFormed } from '../process/limited-output.ts';
import type { EndReport } from '../state/journal.ts';

const MAX_MESSAGE_CHARACTERS = 4000;

export function endReportBody(attempt: number, end: EndReport): StatusReport {
  return {
    status: end.status,
    attempt,
    ...(end.error_message === null
      ? {}
      : { error_message: wellFormed(end.error_message.slice(0, MAX_MESSAGE_CHARACTERS)) }),
    ...(end.installed_version === null ? {} : { installed_version: end.installed_version }),
    ...(end.failure_cause !== undefined && { failure_cause: end.failure_cause }),
    ...(end.component !== undefined && { component: end.component }),
  };
}
