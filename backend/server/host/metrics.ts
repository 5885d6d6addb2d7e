import { timingSafeEqual } from 'node:crypto';

import type { RequestHandler } from 'express';

import type { PluginState } from './health.ts';
import { HostProblem } from './problem.ts';
import { bearerToken, tokenHash } from './tokens.ts';

/**
 * `GET /metrics` with the scraper's token; without a configured token there is no such route. Loopback
 * addresses get no access, because behind a local proxy every request comes from loopback. Admins get none
 * either: metrics cover all organizations, and must work while the database, which stores admins, is down.
 */
export function metricsRoute(
  token: string | undefined,
  pluginState: () => PluginState,
): RequestHandler {
  if (token === undefined) return (_request, _response, next) => next();
  const expected = tokenHash(token);
  return async (request, response) => {
    const given = bearerToken(request.get('authorization'));
    if (given === null || !timingSafeEqual(tokenHash(given), expected)) {
      throw new HostProblem('unauthenticated', 'Send the metrics token as bearer token.');
    }
    const state = pluginState();
    if (state === 'starting' || state === 'failed') {
      throw new HostProblem('unavailable', 'The plugin is not active.');
    }
    response
      .set('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
      .set('Cache-Control', 'no-store')
      .send(await state.plugin.metrics());
  };
}
