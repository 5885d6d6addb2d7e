/** `/login` exchanges a token or a one-time link for a session cookie; `/logout` ends the session. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

import express, { Router, type Request, type Response } from 'express';
import type { Knex } from 'knex';

import { sameOriginOnly, sameOriginSessions } from '../../backend/server/host/same-origin.ts';
import { shellFileUrl } from '../../backend/server/page/shell-files.ts';
import { SESSION_COOKIE, sessionToken } from './session-cookie.ts';
import { closeSession, openSession, redeemLoginLink, SESSION_SECONDS } from './sessions.ts';
import { tokenHash } from '../../backend/server/host/tokens.ts';

const HOME = '/admin';
const PAGE = readFileSync(path.join(import.meta.dirname, 'page', 'login.html'), 'utf8')
  .replaceAll('{{icon}}', shellFileUrl('', 'icon.svg'))
  .replace('{{style}}', shellFileUrl('', 'shell.css'))
  .replace('{{firstPaint}}', shellFileUrl('', 'first-paint.js'));
const WRONG_TOKEN =
  'This token is not valid. Use the admin token that the host printed when it started.';
const USED_LINK = 'This link was used before or is too old. Sign in with the admin token.';

export function signInRoutes(knex: Knex): Router {
  return Router()
    .get('/login', async (request, response) => {
      const { code } = request.query;
      if (typeof code !== 'string') {
        showForm(request, response, '');
        return;
      }
      const userId = await redeemLoginLink(knex, code);
      if (userId === null) showForm(request, response.status(401), USED_LINK);
      else await signIn(knex, userId, request, response);
    })
    .post(
      '/login',
      sameOriginOnly,
      express.urlencoded({ extended: false, limit: '4kb' }),
      async (request, response) => {
        const { token } = (request.body ?? {}) as Record<string, unknown>;
        const userId = typeof token === 'string' ? await ownerOf(knex, token.trim()) : null;
        if (userId === null) showForm(request, response.status(401), WRONG_TOKEN);
        else await signIn(knex, userId, request, response);
      },
    )
    .post('/logout', sameOriginSessions, async (request, response) => {
      const session = sessionToken(request);
      if (session !== null) await closeSession(knex, session);
      response.clearCookie(SESSION_COOKIE, { path: '/' }).redirect(303, '/login');
    });
}

async function ownerOf(knex: Knex, token: string): Promise<string | null> {
  const row = await knex('user_tokens')
    .where('token_hash', tokenHash(token))
    .first<{ user_id: string } | undefined>('user_id');
  return row?.user_id ?? null;
}

async function signIn(
  knex: Knex,
  userId: string,
  request: Request,
  response: Response,
): Promise<void> {
  response.cookie(SESSION_COOKIE, await openSession(knex, userId), {
    httpOnly: true,
    sameSite: 'lax',
    secure: request.secure,
    maxAge: SESSION_SECONDS * 1000,
    path: '/',
  });
  response.redirect(303, destination(request));
}

/** Only paths of this host's pages, so that `next` cannot redirect to another site. */
function destination(request: Request): string {
  const { next } = request.query;
  return typeof next === 'string' && /^\/admin(\/[\w/-]*)?$/.test(next) ? next : HOME;
}

function showForm(request: Request, response: Response, problem: string): void {
  const action = `/login?next=${encodeURIComponent(destination(request))}`;
  response
    .type('html')
    .set('Cache-Control', 'no-store')
    .send(
      PAGE.replace('{{action}}', action)
        .replace('{{problem}}', problem)
        .replace('{{state}}', problem ? '' : 'hidden'),
    );
}
