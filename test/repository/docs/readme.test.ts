import { expect } from 'chai';
import { pino } from 'pino';
import { ROLLOUT_STRATEGIES } from '../../../backend/contract/states.ts';
import { startHost, type RunningHost } from '../../../dev/host/host.ts';
import { newToken, tokenHash } from '../../../backend/server/host/tokens.ts';
import { insertDevices } from '../../support/seed.ts';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { DocPage, fillIn, inShell } from '../../support/doc-page.ts';
import { ROOT } from '../../support/repository.ts';

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

describe('the commands in the README', () => {
  let database: TestDatabase;
  let host: RunningHost;
  let commands: string[];

  before(async function () {
    this.timeout(30_000);
    const readme = await DocPage.read('README.md');
    commands = readme.blocks('bash').filter((block) => block.startsWith('curl '));
    database = await createTestDatabase();
    host = await startHost({
      role: 'all',
      logger: pino({ level: 'silent' }),
      databaseUrl: database.connectionString,
      pluginRoot: ROOT,
      pluginConfig: {},
      port: 0,
      listen: '127.0.0.1',
    });
    const admin = await database.knex('users').first<{ organization_id: string }>();
    await insertDevices(database.knex, 10, {
      organizationId: admin.organization_id,
      firmwareVersion: (index) => `v1.9.${index}`,
    });
  });

  after(async () => {
    await host?.stop();
    await database?.drop();
  });

  /** Runs the first command whose URL has this ending, with token, ids and port filled in. */
  async function run(ending: string, ids: Record<string, string> = {}): Promise<Answer> {
    const command = commands.find((text) => text.match(/http:\S+/)?.[0].endsWith(ending));
    if (!command) throw new Error(`the README has no command for ${ending}`);
    const filled = fillIn(command.replace('curl', "curl -s -w '\\n%{http_code}'"), {
      'http://localhost:8084': host.url,
      YOUR_TOKEN: host.admin?.token ?? '',
      ...ids,
    });
    const stdout = await inShell(filled, { cwd: ROOT });
    const at = stdout.lastIndexOf('\n');
    return {
      status: Number(stdout.slice(at + 1)),
      body: JSON.parse(stdout.slice(0, at)) as Answer['body'],
    };
  }

  for (const strategy of ROLLOUT_STRATEGIES) {
    it(`give the described results for a ${strategy} deployment`, async () => {
      const original = commands;
      commands = commands.map((text) => withStrategy(text, strategy));
      try {
        await walkThrough(strategy === 'canary' ? 2 : strategy === 'rolling' ? 5 : 10, strategy);
      } finally {
        commands = original;
      }
    });
  }

  async function walkThrough(firstBatch: number, strategy: string): Promise<void> {
    const created = await run('/deployments');
    expect(created.status, JSON.stringify(created.body)).to.equal(201);
    expect(created.body).to.include({ status: 'pending', target_devices: 10 });
    const ids = { DEPLOYMENT_ID: String(created.body['deployment_id']) };

    const started = await run('/DEPLOYMENT_ID/start', ids);
    expect(started).to.deep.include({ status: 200 });
    expect(started.body['status']).to.equal('in_progress');
    await waitFor(
      async () => (await run('/DEPLOYMENT_ID', ids)).body['released_devices'] === firstBatch,
      { describe: `${firstBatch} devices are released` },
    );
    expect((await run('/DEPLOYMENT_ID/pause', ids)).body['status']).to.equal('paused');
    expect((await run('/DEPLOYMENT_ID/resume', ids)).body['status']).to.equal('in_progress');

    const expanded = await run('/DEPLOYMENT_ID/expand', ids);
    expect(expanded.status).to.equal(strategy === 'canary' ? 200 : 409);

    const device = await firstDevice(ids.DEPLOYMENT_ID);
    await device.report('completed');
    const rollback = await run('/DEVICE_ID/rollback', { ...ids, DEVICE_ID: device.id });
    expect(rollback.status, JSON.stringify(rollback.body)).to.equal(202);
    expect(rollback.body['status']).to.equal('accepted');
    await device.report('rolled_back');

    expect((await run('/DEPLOYMENT_ID/cancel', ids)).body['status']).to.equal('cancelled');
    const again = await run('/DEPLOYMENT_ID/start', ids);
    expect(again.status).to.equal(409);
    expect(again.body).to.include({ code: 'invalid_state', current_status: 'cancelled' });
  }

  /** The first released device, with a function to report as it. */
  async function firstDevice(
    deploymentId: string,
  ): Promise<{ id: string; report(status: string): Promise<void> }> {
    const { device_id: id } = await database
      .knex('ota_deployment_devices')
      .where({ deployment_id: deploymentId, position: 0 })
      .first<{ device_id: string }>();
    const token = newToken('device');
    await database
      .knex('edge_device_tokens')
      .insert({ token_hash: tokenHash(token), device_id: id });
    const url = `${host.url}/api/v1/ota/deployments/${deploymentId}/status?device_id=${id}`;
    return {
      id,
      async report(status) {
        const response = await fetch(url, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify({ status, error_message: null }),
        });
        expect(response.status).to.equal(200);
      },
    };
  }
});

/** The README shows a canary. The other strategies need no percentage. */
function withStrategy(command: string, strategy: string): string {
  if (strategy === 'canary') return command;
  return command
    .replace('"rollout_strategy": "canary"', `"rollout_strategy": "${strategy}"`)
    .replace(/\s*"rollout_percentage": 20,/, '');
}
