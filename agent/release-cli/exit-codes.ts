/** Exit codes of `ota`, documented in docs/ota-command.md. */
export const EXIT = {
  /** Done; when watching: the deployment is completed. */
  ok: 0,
  unexpected: 1,
  /** A fault in the command line or in a file it names. */
  usage: 2,
  serverUnreachable: 3,
  /** By the server, or by the rules for packages and signatures. */
  refused: 4,
  /** The deployment finished with failed devices. */
  failed: 10,
  /** Too many devices failed; the deployment waits for a decision. */
  pausedByFailures: 11,
  cancelled: 12,
  /** The first share of a canary has finished; the rest waits for `expand`. */
  awaitingExpansion: 13,
  /** Watching stopped before the deployment finished. */
  stillRunning: 14,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
