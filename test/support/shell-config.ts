import type { ShellConfig } from '../../backend/server/page/shell-document.ts';

/** What a shell document gives its scripts. */
export function shellConfig(html: string): ShellConfig {
  const text = /<script type="application\/json" id="shell-config">(.*?)<\/script>/s.exec(
    html,
  )?.[1];
  if (text === undefined) throw new Error(`The document has no configuration: ${html}`);
  return JSON.parse(text) as ShellConfig;
}
