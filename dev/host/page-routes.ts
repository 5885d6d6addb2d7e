/** Serves the shell around all pages: the same as ota-server's, with pages for development. */
import path from 'node:path';

import express, { Router, type RequestHandler } from 'express';
import type { Knex } from 'knex';

import type { AdminIdentity, HostContext } from '../../backend/host-contract.ts';
import type { NavigationPages } from '../../backend/server/host/navigation-pages.ts';
import { ASSET_OPTIONS, setCaching } from '../../backend/server/host/page-assets.ts';
import { HostProblem } from '../../backend/server/host/problem.ts';
import { documentScriptHashes, shellDocument } from '../../backend/server/page/shell-document.ts';
import { listedPage, shellFiles, type ListedPage } from '../../backend/server/page/shell-files.ts';

const PAGE_FOLDER = path.join(import.meta.dirname, 'page');
const PREFIX = '';
const SESSION = '/api/v1/host/session';

const DEVICES: ListedPage = {
  id: 'devices',
  title: 'Devices',
  icon: 'device',
  section: 'Edge',
  path: '/admin/edge/devices',
  module: '/host-pages/devices-page.js',
  style: null,
};
const HEALTH: ListedPage = {
  id: 'health',
  title: 'Health',
  icon: 'pulse',
  section: 'System',
  path: '/admin/system/health',
  module: '/host-pages/health-page.js',
  style: null,
};

/** For the content security policy. */
export function pageScriptHashes(): string[] {
  return documentScriptHashes(PREFIX);
}

export function pageRoutes(knex: Knex, host: HostContext, pages: NavigationPages): Router {
  return Router()
    .use(shellFiles(pages))
    .use(
      '/host-pages',
      express.static(PAGE_FOLDER, { ...ASSET_OPTIONS, index: false, setHeaders: setCaching }),
    )
    .get(SESSION, session(knex, host))
    .get(['/admin', '/admin/*rest'], async (request, response) => {
      const user = await host.auth.admin(request);
      if (!user) response.redirect(`/login?next=${encodeURIComponent(request.path)}`);
      else response.type('html').set('Cache-Control', 'no-store').send(document(user, pages));
    })
    .get('/', (_request, response) => response.redirect('/admin'));
}

function document(user: AdminIdentity, pages: NavigationPages): string {
  const ofPlugins = pages.list().map((page) => listedPage(PREFIX, page));
  return shellDocument(PREFIX, {
    base_path: '',
    home: ofPlugins[0]?.path ?? DEVICES.path,
    session_url: SESSION,
    organization_url: null,
    back_link: null,
    // In the stand-in host, admins have all permissions and other users have none.
    pages: user.isAdmin ? [DEVICES, ...ofPlugins, HEALTH] : [],
  });
}

/** What the shell asks for: the signed-in user and their organization. */
function session(knex: Knex, host: HostContext): RequestHandler {
  return async (request, response) => {
    const user = await host.auth.admin(request);
    if (!user) throw new HostProblem('unauthenticated', 'Sign in first.');
    const organization = await knex('organizations')
      .where({ id: user.organizationId })
      .first<{ id: string; name: string }>('id', 'name');
    response.set('Cache-Control', 'no-store').json({
      user: { name: user.name, email: null },
      organization,
      organizations: [organization],
      is_admin: user.isAdmin,
      sign_out: '/logout',
    });
  };
}
