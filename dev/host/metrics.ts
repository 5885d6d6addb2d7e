import { timingSafeEqual } from 'node:crypto';

import type { RequestHandler } from 'express';

import type { PluginState } from './health.ts';
import { HostProblem } from './problem.ts';
import { bearerToken, tokenHash } from './tokens.ts';

/**
 * `GET /metrics`, to whoever brings the scraper's token; without a token set there is nothing here.
 * Addresses are not trusted: behind a proxy on the same machine everybody comes from loopback. Admins
 * are not either: metrics tell of all organizations, and are wanted most when the database, which
 * knows the admins, is away.
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
      throw new HostProblem('unauthenticated', 'Send the token of OPS_METRICS_TOKEN as bearer.');
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
