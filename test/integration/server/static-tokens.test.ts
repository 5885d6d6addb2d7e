import { createHash, randomUUID } from 'node:crypto';

import { expect } from 'chai';

import {
  startAdminsServer,
  type AdminsServer,
} from '../../support/published-platform/admins-server.ts';
import {
  createOpsCenterDatabase,
  type OpsCenterDatabase,
} from '../../support/published-platform/ops-center-database.ts';

describe('tokens of pipelines', () => {
  const sha256 = (token: string): string => createHash('sha256').update(token).digest('hex');
  let database: OpsCenterDatabase;
  let server: AdminsServer;
  let organizationId: string;

  before(async () => {
    database = await createOpsCenterDatabase();
    organizationId = await database.addOrganization('Alpha');
    const token = (name: string, more = {}): object => ({
      name,
      sha256: sha256(`token of ${name}`.replaceAll(' ', '-')),
      organization_id: organizationId,
      ...more,
    });
    server = await startAdminsServer({
      knex: database.knex,
      settings: {
        tokens: [
          token('ci'),
          token('release', { user_id: 'robot', expires_at: '2100-01-01T00:00:00Z' }),
          token('old', { expires_at: '2026-01-01T00:00:00Z' }),
          token('moved', { organization_id: randomUUID() }),
        ],
      },
    });
  });

  after(async () => {
    await server.close();
    await database.drop();
  });

  const bearer = (token: string): { authorization: string } => ({
    authorization: `Bearer ${token}`,
  });

  it('are admins of their organization', async () => {
    expect(await server.who(bearer('token-of-ci'))).to.deep.equal({
      userId: 'token:ci',
      name: 'ci',
      organizationId,
      isAdmin: true,
    });
    expect(await server.who(bearer('token-of-release'))).to.include({ userId: 'robot' });
    await server.request.post('/who').set(bearer('token-of-ci')).expect(200);
  });

  it('are nobody once they are expired, or if they are unknown', async () => {
    expect(await server.who(bearer('token-of-old'))).to.equal(null);
    expect(await server.who(bearer('token-of-nobody'))).to.equal(null);
    expect(await server.who(bearer(sha256('token-of-ci')))).to.equal(null);
  });

  it('are no admins if their organization does not exist', async () => {
    expect(await server.who(bearer('token-of-moved'))).to.include({ isAdmin: false });
  });

  it('never appear in the log', () => {
    expect(server.logs.join('')).not.to.match(/token-of-|[0-9a-f]{64}/);
  });

  it('offer no sign-in to people', async () => {
    expect(server.admins.signInUrl('/admin/edge/ota')).to.equal(null);
    await server.request.get('/api/v1/ota-server/sign-in').expect(404);
  });
});
