import { expect } from 'chai';
import { readFile } from 'node:fs/promises';
import { configSchema, parseConfig } from '../../../agent/device/config/agent-config.ts';

const repositoryFile = (path: string): Promise<string> =>
  readFile(new URL(`../../../${path}`, import.meta.url), 'utf8');

interface Described {
  type: string;
  keys?: Record<string, Described>;
}

describe('agent: its page', () => {
  it('names every key of the configuration', async () => {
    const page = await repositoryFile('docs/agent.md');
    const keys = Object.entries((configSchema.describe() as Described).keys ?? {}).flatMap(
      ([name, { keys: inner }]) =>
        inner ? Object.keys(inner).map((key) => `${name}.${key}`) : [name],
    );
    expect(keys).to.include('download.max_bytes').and.include('state_dir');
    expect(keys.filter((key) => !page.includes(`\`${key}\``))).to.deep.equal([]);
  });

  it('has an example that is accepted', async () => {
    const config = parseConfig(await repositoryFile('agent/config.example.json'), 'the example');
    expect(config.health.checks).to.have.length(3);
  });
});
