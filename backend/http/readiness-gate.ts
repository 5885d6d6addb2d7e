import type { RequestHandler } from 'express';
import { DomainError } from '../kernel/errors.ts';

const RETRY_AFTER_SECONDS = 5;

/**
 * Stands before everything else of the plugin for as long as it lives: while it starts and stops nobody is
 * told that a path does not exist, which a device would take for an answer (CONTRACT section 5).
 */
export class ReadinessGate {
  #isOpen = false;

  open(): void {
    this.#isOpen = true;
  }

  close(): void {
    this.#isOpen = false;
  }

  readonly handler: RequestHandler = (_request, _response, next) => {
    if (this.#isOpen) {
      next();
      return;
    }
    throw new DomainError(
      'not_ready',
      'The OTA plugin is starting or stopping. Nothing was changed; come again shortly.',
      {},
      { retryAfterSeconds: RETRY_AFTER_SECONDS },
    );
  };
}
