import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { configSchema, readConfig } from '../../backend/config.ts';
import { DomainError } from '../../backend/kernel/errors.ts';
import { requestSchema, type JsonSchema } from '../../dev/openapi/request-schema.ts';

const repositoryFile = (path: string): Promise<string> =>
  readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

interface PluginJson {
  config: JsonSchema & { properties: Record<string, { default: unknown; description: string }> };
}

describe('the configuration of the plugin', () => {
  let config: PluginJson['config'];

  before(async () => {
    ({ config } = JSON.parse(await repositoryFile('plugin.json')) as PluginJson);
  });

  it('has the same keys, types, limits and defaults in plugin.json', () => {
    expect(withoutDescriptions(config)).to.deep.equal(requestSchema(configSchema));
    for (const [key, { description }] of Object.entries(config.properties)) {
      expect(description, key).to.match(/\w/);
    }
  });

  it('has the same defaults in plugin.json and docs/operating.md', async () => {
    const defaults = Object.entries(config.properties).map(([key, value]) => [key, value.default]);
    expect(Object.fromEntries(defaults)).to.deep.equal(readConfig(undefined));
    const page = await repositoryFile('docs/operating.md');
    const rows = [...page.matchAll(/^\| `(\w+)` +\| `([^`]*)` +\|/gm)];
    expect(Object.fromEntries(rows.map(([, key, value]) => [key, unquoted(value)]))).to.deep.equal(
      Object.fromEntries(defaults),
    );
  });

  it('is rejected with every invalid signature key', () => {
    const zero = Buffer.alloc(32).toString('base64');
    const keys = [
      { id: 'a', public_key: zero },
      { id: 'b', public_key: 'x' },
    ];
    expect(() => readConfig({ signature_keys: keys }))
      .to.throw(DomainError)
      .that.has.nested.property('extras.errors')
      .that.satisfies((errors: { path: string }[]) =>
        ['signature_keys.0.public_key', 'signature_keys.1.public_key'].every((path) =>
          errors.some((error) => error.path === path),
        ),
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
