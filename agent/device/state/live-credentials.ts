/** The current registration: an agent keeps running while the device is registered again. */
import { unwatchFile, watchFile } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { messageOf } from '../../kernel/errors.ts';
import { credentialsPath, type Credentials } from './credentials.ts';

/** The file is polled: not every file system sends notifications. */
const POLL_FILE_MS = 2_000;

export class LiveCredentials {
  #current: Credentials;
  #replaced = new AbortController();
  readonly #path: string;

  /**
   * @param read reads and checks the file; an invalid one changes nothing
   */
  constructor(
    stateDir: string,
    first: Credentials,
    read: () => Promise<Credentials>,
    logger: Logger,
  ) {
    this.#current = first;
    this.#path = credentialsPath(stateDir);
    watchFile(this.#path, { interval: POLL_FILE_MS, persistent: false }, () => {
      read().then(
        (next) => this.#replace(next, logger),
        (error: unknown) => logger.warn(`the earlier registration is kept: ${messageOf(error)}`),
      );
    });
  }

  get current(): Credentials {
    return this.#current;
  }

  /** Aborted when the current registration is replaced. */
  get replaced(): AbortSignal {
    return this.#replaced.signal;
  }

  close(): void {
    unwatchFile(this.#path);
  }

  #replace(next: Credentials, logger: Logger): void {
    if (isDeepStrictEqual(next, this.#current)) return;
    this.#current = next;
    const { device_id: device, server_url: server } = next;
    logger.info({ device, server }, 'the device was registered again; using the new registration');
    const before = this.#replaced;
    this.#replaced = new AbortController();
    before.abort();
  }
}
