/** The server from the command line or the configuration. */
import type { AgentConfig } from '../config/agent-config.ts';
import { UsageError } from '../../kernel/errors.ts';
import { EXIT } from '../../kernel/exit-codes.ts';
import { serverUrlFault } from '../../package/package-url.ts';

/**
 * @param given value of `--server`
 * @returns the address without a trailing slash
 * @throws {UsageError} when there is none, or tokens would not be safe on the way to it
 */
export function serverOf(config: AgentConfig, given: string | undefined): string {
  const server = (given ?? config.server.url)?.replace(/\/+$/, '');
  if (!server) throw new UsageError('Give the address of Ops-Center with --server.', EXIT.usage);
  const fault = serverUrlFault(server);
  if (fault) throw new UsageError(`--server ${fault}.`, EXIT.usage);
  return server;
}
