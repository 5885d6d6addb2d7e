/** The document of the shell: an import map, what the scripts need to start, and nothing else. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { BROWSER_FOLDER, libraryUrls, shellFileUrl, type ListedPage } from './shell-files.ts';

const TEMPLATE = readFileSync(path.join(BROWSER_FOLDER, 'shell.html'), 'utf8');

export interface Link {
  href: string;
  label: string;
}

/** What the shell in the browser starts with. URLs include the base path; `path`s of pages do not. */
export interface ShellConfig {
  /** Path prefix that the host is served below, e.g. `/ops`; empty: none. */
  base_path: string;
  /** Path of the page that the shell's name and `/admin` lead to. */
  home: string;
  /** Answers GET with the session, or 401. */
  session_url: string;
  /** Takes POST `{organization_id}`; `null`: users cannot switch. */
  organization_url: string | null;
  /** The way back to the platform; `null`: this is the platform. */
  back_link: Link | null;
  pages: ListedPage[];
}

/** @param prefix of `shellFiles`, as the browser sees it */
export function shellDocument(prefix: string, config: ShellConfig): string {
  const values: Record<string, string> = {
    icon: shellFileUrl(prefix, 'icon.svg'),
    style: shellFileUrl(prefix, 'shell.css'),
    firstPaint: shellFileUrl(prefix, 'first-paint.js'),
    script: shellFileUrl(prefix, 'shell.js'),
    importMap: `<script type="importmap">${importMap(prefix)}</script>`,
    preloads: Object.values(libraryUrls(prefix))
      .map((url) => `<link rel="modulepreload" href="${escaped(url)}" />`)
      .join('\n    '),
    config: `<script type="application/json" id="shell-config">${inScript(config)}</script>`,
  };
  const raw = new Set(['importMap', 'preloads', 'config']);
  return TEMPLATE.replace(/\{\{(\w+)\}\}/g, (_placeholder, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`shell.html has an unknown placeholder: ${name}.`);
    return raw.has(name) ? value : escaped(value);
  });
}

/** Of the inline scripts of {@link shellDocument}, for the content security policy. */
export function documentScriptHashes(prefix: string): string[] {
  return [`'sha256-${createHash('sha256').update(importMap(prefix)).digest('base64')}'`];
}

function importMap(prefix: string): string {
  return inScript({ imports: libraryUrls(prefix) });
}

/** JSON that cannot end the script element around it, or start a comment in it. */
function inScript(value: object): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}
