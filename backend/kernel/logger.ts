import type { Logger as PinoLogger } from 'pino';
import { token } from './token.ts';

/** The host's logger, scoped to the plugin. */
export type Logger = PinoLogger;
export const Logger = token<Logger>('Logger');
