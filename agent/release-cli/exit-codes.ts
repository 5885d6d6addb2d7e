/** What `ota` tells the pipeline that called it; docs/ota-command.md has them with their meaning. */
export const EXIT = {
  /** Done as asked; when watching: the deployment is completed. */
  ok: 0,
  unexpected: 1,
  /** The command line or a file that was named. */
  usage: 2,
  serverUnreachable: 3,
  /** By the server, or by the rules that packages and signatures have to keep. */
  refused: 4,
  /** The deployment ended with failed devices. */
  failed: 10,
  /** Too many devices failed; the deployment waits for a decision. */
  pausedByFailures: 11,
  cancelled: 12,
  /** The first share of a canary has ended; the rest waits for `expand`. */
  awaitingExpansion: 13,
  /** Watching ended before the deployment did. */
  stillRunning: 14,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
