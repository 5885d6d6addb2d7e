/** Serves the shell around all pages, the libraries they share, and the files of plugins. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

import express, { Router, type RequestHandler } from 'express';
import type { Knex } from 'knex';

import type { HostContext, NavigationPage } from '../../backend/host-contract.ts';
import type { NavigationPages } from '../../backend/server/host/navigation-pages.ts';
import { ASSET_OPTIONS, compressed, setCaching } from '../../backend/server/host/page-assets.ts';
import { HostProblem } from '../../backend/server/host/problem.ts';

const PAGE_FOLDER = path.join(import.meta.dirname, 'page');
const SHELL = readFileSync(path.join(PAGE_FOLDER, 'shell.html'), 'utf8');
const IMPORT_MAP = /<script type="importmap">([\s\S]*?)<\/script>/;
/** Builds without further imports; the development builds import other packages. */
const LIBRARIES: Record<string, string> = {
  vue: 'vue.runtime.esm-browser.prod.js',
  pinia: 'pinia.esm-browser.prod.js',
  'vue-router': 'vue-router.esm-browser.prod.js',
};

/** For the content security policy. */
export function importMapHash(): string {
  const script = IMPORT_MAP.exec(SHELL)?.[1];
  if (script === undefined) throw new Error('shell.html has no import map.');
  return `'sha256-${createHash('sha256').update(script).digest('base64')}'`;
}

export function pageRoutes(knex: Knex, host: HostContext, pages: NavigationPages): Router {
  const router = Router().use(['/vendor', '/shell', '/plugins'], compressed);
  for (const [name, file] of Object.entries(LIBRARIES)) {
    const location = libraryFile(name, file);
    router.get(`/vendor/${name}.js`, (_request, response) => {
      setCaching(response, location);
      response.sendFile(location, ASSET_OPTIONS);
    });
  }
  return router
    .use('/shell', pageFiles(PAGE_FOLDER))
    .use('/plugins/:id', pluginFiles(pages))
    .get('/api/v1/host/shell', shellData(knex, host, pages))
    .get(['/admin', '/admin/*rest'], async (request, response) => {
      const user = await host.auth.admin(request);
      if (!user) response.redirect(`/login?next=${encodeURIComponent(request.path)}`);
      else response.type('html').set('Cache-Control', 'no-store').send(SHELL);
    })
    .get('/', (_request, response) => response.redirect('/admin'));
}

function libraryFile(name: string, file: string): string {
  const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
  return path.join(path.dirname(manifest), 'dist', file);
}

function pageFiles(folder: string): RequestHandler {
  return express.static(folder, { ...ASSET_OPTIONS, index: false, setHeaders: setCaching });
}

/** Serves the whole folder of the module, because it may import chunks. */
function pluginFiles(pages: NavigationPages): RequestHandler<{ id: string }> {
  const folders = new WeakMap<NavigationPage, RequestHandler>();
  return (request, response, next) => {
    const page = pages.find(request.params.id);
    if (!page) {
      next();
      return;
    }
    let serve = folders.get(page);
    if (!serve) {
      serve = pageFiles(path.dirname(page.module));
      folders.set(page, serve);
    }
    void serve(request as never, response, next);
  };
}

/** Data for the shell: the signed-in user and the pages they may open. */
function shellData(knex: Knex, host: HostContext, pages: NavigationPages): RequestHandler {
  return async (request, response) => {
    const user = await host.auth.admin(request);
    if (!user) throw new HostProblem('unauthenticated', 'Sign in first.');
    const organization = await knex('organizations')
      .where({ id: user.organizationId })
      .first<{ name: string } | undefined>('name');
    response.set('Cache-Control', 'no-store').json({
      user: { name: user.name, organization: organization?.name ?? null, is_admin: user.isAdmin },
      // In the stand-in host, admins have all permissions and other users have none.
      pages: user.isAdmin ? pages.list().map(publicPage) : [],
    });
  };
}

function publicPage(page: NavigationPage): Record<string, string> {
  const at = (file: string): string => {
    const relative = path.relative(path.dirname(page.module), file);
    return `/plugins/${page.id}/${relative.split(path.sep).join('/')}`;
  };
  const { id, title, icon, section } = page;
  return {
    id,
    title,
    icon,
    section,
    path: page.path,
    module: at(page.module),
    style: at(page.style),
  };
}
