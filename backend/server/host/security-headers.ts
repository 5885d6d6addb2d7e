import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** For every response: browsers must not guess another content type. */
export const noSniffing: RequestHandler = (_request, response, next) => {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  next();
};

/**
 * @param scriptHashes hashes of the allowed inline scripts, e.g. `'sha256-…'`; an import map has to be
 *   inline
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
    // The host serves plain HTTP; a proxy that adds HTTPS decides about this.
    strictTransportSecurity: false,
    // With "no-referrer", browsers would send "Origin: null" even to the page's own host.
    referrerPolicy: { policy: 'same-origin' },
  });
}
