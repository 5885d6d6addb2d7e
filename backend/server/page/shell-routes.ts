/** The routes of ota-server's shell: its document, its files and the files of pages, all below the plugin's page. */
import { Router, type Request } from 'express';

import type { HostContext } from '../../host-contract.ts';
import type { NavigationPages } from '../host/navigation-pages.ts';
import { documentScriptHashes, shellDocument, type Link } from './shell-document.ts';
import { listedPage, shellFiles, shellFileUrl, type ListedPage } from './shell-files.ts';

/** The platform's proxy routes this prefix to ota-server: documents and files are below it. */
const HOME = '/admin/edge/ota';
/** Names that begin with `_` belong to the host: no page of the plugin does. */
const FILES = `${HOME}/_shell`;
const SESSION = '/api/v1/ota-server/session';
const ORGANIZATION = '/api/v1/ota-server/organization';

export interface ShellOptions {
  context: Pick<HostContext, 'logger'>;
  pages: NavigationPages;
  /** Path prefix that browsers see and the host does not, e.g. `/ops`; empty: none. */
  basePath: string;
  /** The way back to the platform. */
  backLink: Link | null;
  /** Where users sign in. `next`: the path to open afterwards, with the base path. */
  signInUrl(next: string): string;
  /** Whether the request has a valid session, of an admin or not. Rejects only if the check itself failed. */
  isSignedIn(request: Request): Promise<boolean>;
}

export function shellRoutes(options: ShellOptions): Router {
  const { basePath, backLink, context, pages } = options;
  const prefix = basePath + FILES;
  const document = (): string =>
    shellDocument(prefix, {
      base_path: basePath,
      home: HOME,
      session_url: basePath + SESSION,
      organization_url: basePath + ORGANIZATION,
      back_link: backLink,
      pages: [...pages.list().map((page) => listedPage(prefix, page)), deviceAccessPage(prefix)],
    });
  const home = basePath + HOME;
  return Router()
    .use(FILES, shellFiles(pages), (_request, response) => {
      // A missing file is not a page: never answer with the document.
      response.status(404).type('text/plain').send('Not found\n');
    })
    .get([HOME, `${HOME}/*rest`], async (request, response) => {
      response.set('Cache-Control', 'no-store');
      const next = basePath + request.originalUrl;
      if (await mayBeSignedIn(options.isSignedIn, request, context)) {
        response.type('html').send(document());
      } else response.redirect(options.signInUrl(next));
    })
    .get('/', (_request, response) => response.redirect(home));
}

/** For the content security policy. */
export function shellScriptHashes(basePath: string): string[] {
  return documentScriptHashes(basePath + FILES);
}

/** If the check fails, the shell is sent, which explains the failure and offers to try again. */
async function mayBeSignedIn(
  isSignedIn: ShellOptions['isSignedIn'],
  request: Request,
  { logger }: Pick<HostContext, 'logger'>,
): Promise<boolean> {
  try {
    return await isSignedIn(request);
  } catch (error) {
    logger.warn({ err: error }, 'Session could not be checked');
    return true;
  }
}

function deviceAccessPage(prefix: string): ListedPage {
  return {
    id: 'device-access',
    title: 'Device access',
    icon: 'shield',
    section: 'Edge',
    path: `${HOME}/_device-access`,
    module: shellFileUrl(prefix, 'device-access/page.js'),
    style: null,
  };
}
