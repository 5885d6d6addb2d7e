import type { RequestHandler } from 'express';
import type { Logger } from 'pino';
import { DomainError } from '../kernel/errors.ts';
import { sendProblem } from './problem.ts';
import { assignRequestId } from './request-id.ts';

const RETRY_AFTER_SECONDS = 5;

/**
 * Responds 503 while the plugin starts and stops. Without it, these requests would get a 404, which devices accept as
 * an answer (docs/contract.md, Errors).
 */
export class ReadinessGate {
  #isOpen = false;

  constructor(private readonly logger: Logger) {}

  open(): void {
    this.#isOpen = true;
  }

  close(): void {
    this.#isOpen = false;
  }

  readonly handler: RequestHandler = (request, response, next) => {
    if (this.#isOpen) {
      next();
      return;
    }
    const error = new DomainError(
      'not_ready',
      'The OTA plugin is starting or stopping. Nothing was changed; retry after Retry-After.',
      {},
      { retryAfterSeconds: RETRY_AFTER_SECONDS },
    );
    assignRequestId(request, response);
    sendProblem(error, { request, response, logger: this.logger, route: 'none' });
  };
}
