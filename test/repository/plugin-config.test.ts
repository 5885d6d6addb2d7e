import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { configSchema, readConfig } from '../../backend/config.ts';
import { requestSchema, type JsonSchema } from '../../dev/openapi/request-schema.ts';
import { ROOT } from '../support/repository.ts';

const repositoryFile = (file: string): Promise<string> => readFile(path.join(ROOT, file), 'utf8');

interface PluginJson {
  config: JsonSchema & { properties: Record<string, { default: unknown; description: string }> };
}

describe('the configuration in plugin.json', () => {
  let config: PluginJson['config'];

  before(async () => {
    ({ config } = JSON.parse(await repositoryFile('plugin.json')) as PluginJson);
  });

  it('has the same keys, types, limits and defaults as the plugin', () => {
    expect(withoutDescriptions(config)).to.deep.equal(requestSchema(configSchema));
    for (const [key, { description }] of Object.entries(config.properties)) {
      expect(description, key).to.match(/\w/);
    }
  });

  it('has the same defaults as docs/operating.md', async () => {
    const defaults = Object.entries(config.properties).map(([key, value]) => [key, value.default]);
    expect(Object.fromEntries(defaults)).to.deep.equal(readConfig(undefined));
    const page = await repositoryFile('docs/operating.md');
    const rows = [...page.matchAll(/^\| `(\w+)` +\| `([^`]*)` +\|/gm)];
    expect(Object.fromEntries(rows.map(([, key, value]) => [key, unquoted(value)]))).to.deep.equal(
      Object.fromEntries(defaults),
    );
  });
});

function withoutDescriptions(schema: JsonSchema): unknown {
  return JSON.parse(
    JSON.stringify(schema, (key, value: unknown) => (key === 'description' ? undefined : value)),
  );
}

function unquoted(value = ''): unknown {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}
