/** What `ota-agent once` tells its caller; the other commands use the first six. */
export const EXIT = {
  /** Nothing to do, or the update (or the rollback that was asked for) is done. */
  ok: 0,
  unexpected: 1,
  usage: 2,
  serverUnreachable: 3,
  locked: 4,
  notRegistered: 5,
  failed: 10,
  rolledBack: 11,
  skipped: 12,
  /** The update waits for its maintenance window or the permission command. */
  deferred: 13,
  /** For the launcher: a new agent is to be started. */
  handoff: 14,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
