import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { readConfig } from '../../backend/config.ts';
import { DomainError } from '../../backend/kernel/errors.ts';

const repositoryFile = (path: string): Promise<string> =>
  readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

interface PluginJson {
  config: { properties: Record<string, { default: unknown }> };
}

describe('configuration of the plugin', () => {
  it('has the same keys and defaults for the plugin, the host’s settings page and the README', async () => {
    const { config } = JSON.parse(await repositoryFile('plugin.json')) as PluginJson;
    const defaults = Object.entries(config.properties).map(([key, value]) => [key, value.default]);
    expect(Object.fromEntries(defaults)).to.deep.equal(readConfig(undefined));
    const readme = await repositoryFile('README.md');
    const rows = [...readme.matchAll(/^\| `(\w+)` +\| `([^`]*)` +\|/gm)];
    expect(Object.fromEntries(rows.map(([, key, value]) => [key, unquoted(value)]))).to.deep.equal(
      Object.fromEntries(defaults),
    );
  });

  it('names every key that cannot be relied on', () => {
    const zero = Buffer.alloc(32).toString('base64');
    const keys = [
      { id: 'a', public_key: zero },
      { id: 'b', public_key: 'x' },
    ];
    expect(() => readConfig({ signature_keys: keys }))
      .to.throw(DomainError)
      .that.has.nested.property('extras.errors')
      .that.satisfies((faults: { path: string }[]) =>
        ['signature_keys.0.public_key', 'signature_keys.1.public_key'].every((path) =>
          faults.some((fault) => fault.path === path),
        ),
      );
  });
});

function unquoted(value = ''): unknown {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}
