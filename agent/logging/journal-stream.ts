/** Lines for the systemd journal, which reads the priority from a prefix: sd-daemon(3). */
import { fstatSync } from 'node:fs';

const STDERR = 2;
/** Levels of the log and priorities of syslog: critical, error, warning, information. */
const PRIORITIES: [level: number, priority: number][] = [
  [60, 2],
  [50, 3],
  [40, 4],
  [30, 6],
];
const DEBUG = 7;

/** Whether standard error is connected to the journal directly: systemd.exec(5), `$JOURNAL_STREAM`. */
export function isJournal(env: NodeJS.ProcessEnv = process.env): boolean {
  const [device, inode] = (env['JOURNAL_STREAM'] ?? '').split(':');
  if (!device || !inode) return false;
  try {
    const found = fstatSync(STDERR, { bigint: true });
    return String(found.dev) === device && String(found.ino) === inode;
  } catch {
    return false;
  }
}

/** `<3>` for an error, and so on. */
export function priorityMark(level: number): string {
  const found = PRIORITIES.find(([from]) => level >= from);
  return `<${found?.[1] ?? DEBUG}>`;
}
