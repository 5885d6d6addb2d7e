import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** For every answer, of every area: what it is, is what it says it is. */
export const noSniffing: RequestHandler = (_request, response, next) => {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  next();
};

/**
 * @param scriptHashes of the inline scripts that are allowed, e.g. `'sha256-…'`; an import map can only
 *   be inline
 */
export function securityHeaders(scriptHashes: readonly string[]): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'", ...scriptHashes],
        // Component libraries position their popups with style attributes.
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        fontSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    // The stand-in speaks plain HTTP; a proxy in front of it that speaks HTTPS decides.
    strictTransportSecurity: false,
    // Not "no-referrer": with that, browsers say "Origin: null" even to the page's own host.
    referrerPolicy: { policy: 'same-origin' },
  });
}
