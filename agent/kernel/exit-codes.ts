/** Exit codes of `ota-agent once`; the other commands use the first six. */
export const EXIT = {
  /** Nothing to do, or the update (or requested rollback) is done. */
  ok: 0,
  unexpected: 1,
  usage: 2,
  serverUnreachable: 3,
  locked: 4,
  notRegistered: 5,
  failed: 10,
  rolledBack: 11,
  skipped: 12,
  /** Waiting for the maintenance window, the permission command, the network or the server. */
  deferred: 13,
  /** For the launcher: start the new agent. */
  handoff: 14,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
