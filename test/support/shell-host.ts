/** A host with ota-server's shell around the page of this package. Users and refused devices are in memory. */
import { Router } from 'express';
import type { Knex } from 'knex';
import { pino } from 'pino';

import type { AdminIdentity } from '../../backend/host-contract.ts';
import { startPluginHost } from '../../backend/server/host/plugin-host.ts';
import { shellRoutes, shellScriptHashes } from '../../backend/server/page/shell-routes.ts';
import { insertOrganization, insertUser } from './seed.ts';
import { ROOT } from './repository.ts';
import { createTestDatabase } from './test-database.ts';

export interface Session {
  user: { name: string | null; email: string };
  organization: { id: string; name: string } | null;
  organizations: { id: string; name: string }[];
  is_admin: boolean;
  sign_out: string | null;
}

export interface RefusedDevice {
  request_id: string;
  device_id: string;
  device_name: string;
  device_type: string | null;
  hardware_id: string;
  reason: string;
  address: string;
  token_fingerprint: string;
  first_seen_at: string;
  last_seen_at: string;
  attempts: number;
  enrolled_at: string | null;
}

export interface ShellHost {
  url: string;
  port: number;
  knex: Knex;
  /** Of everyone who asks; `null`: nobody is signed in. */
  session: Session | null;
  /** Makes the session's check fail, if set. */
  sessionFailure: Error | null;
  refused: RefusedDevice[];
  /** Ids of requests that were admitted. */
  admitted: string[];
  openUntil: Date | null;
  stop(): Promise<void>;
}

export interface ShellHostOptions {
  basePath?: string;
  /** Folder that holds `plugin.json`; default: this package. */
  pluginRoot?: string;
  /** More routes for admins. */
  routes?: Router;
}

const PAGE_SIZE = 2;

export async function startShellHost(options: ShellHostOptions = {}): Promise<ShellHost> {
  const { basePath = '' } = options;
  const database = await createTestDatabase({ schema: 'host' });
  const { knex } = database;
  const organizations = [
    { id: await insertOrganization(knex, 'Northwind Wind Parks'), name: 'Northwind Wind Parks' },
    { id: await insertOrganization(knex, 'Contoso Water'), name: 'Contoso Water' },
  ];
  const [first] = organizations;
  const user = await insertUser(knex, { organizationId: first!.id, name: 'Ada Admin' });
  const state = {
    knex,
    session: {
      user: { name: 'Ada Admin', email: 'ada@example.com' },
      organization: first!,
      organizations,
      is_admin: true,
      sign_out: `${basePath}/api/v1/ota-server/sign-out`,
    } as Session | null,
    sessionFailure: null as Error | null,
    refused: [] as RefusedDevice[],
    admitted: [] as string[],
    openUntil: null as Date | null,
  };
  const currentAdmin = (): AdminIdentity | null => {
    if (state.sessionFailure) throw state.sessionFailure;
    const { session } = state;
    return (
      session && {
        userId: user.id,
        name: session.user.name,
        organizationId: session.organization?.id ?? '',
        isAdmin: session.is_admin,
      }
    );
  };
  const signInUrl = (next: string): string =>
    `${basePath}/sign-in?next=${encodeURIComponent(next)}`;
  const host = await startPluginHost({
    role: 'all',
    logger: pino({ level: 'silent' }),
    knex,
    auth: { admin: async () => currentAdmin(), device: async () => null },
    pluginRoot: options.pluginRoot ?? ROOT,
    pluginConfig: {},
    port: 0,
    listen: '127.0.0.1',
    basePath,
    trustedProxies: ['127.0.0.1'],
    routes: (context, pages) => ({
      admins: Router()
        .use(options.routes ?? Router())
        .use('/api/v1/ota-server', sessionRoutes(state, basePath))
        .use('/api/v1/admin/ota-server/enrolment', enrolmentRoutes(state))
        .get(
          '/sign-in',
          (_request, response) => void response.type('html').send('<h1>Sign in</h1>'),
        )
        .use(
          shellRoutes({
            context,
            pages,
            basePath,
            backLink: { href: 'https://ops-center.example.com/admin', label: 'Back to Ops-Center' },
            signInUrl,
            isSignedIn: async () => currentAdmin() !== null,
          }),
        ),
      scriptHashes: shellScriptHashes(basePath),
    }),
  });
  return Object.assign(state, {
    url: host.url,
    port: Number(new URL(host.url).port),
    async stop() {
      await host.stop();
      await database.drop();
    },
  });
}

type State = Pick<ShellHost, 'session' | 'sessionFailure' | 'refused' | 'admitted' | 'openUntil'>;

function sessionRoutes(state: State, basePath: string): Router {
  return Router()
    .get('/session', (_request, response) => {
      if (state.sessionFailure) {
        response.status(503).type('application/problem+json');
        response.send(JSON.stringify({ status: 503, detail: state.sessionFailure.message }));
      } else if (state.session) response.json(state.session);
      else {
        response.status(401).type('application/problem+json');
        response.send(JSON.stringify({ status: 401, sign_in: `${basePath}/sign-in?from=session` }));
      }
    })
    .post('/organization', async (request, response) => {
      const { organization_id: id } = (await readJson(request)) as { organization_id: string };
      const organization = state.session?.organizations.find((one) => one.id === id);
      if (state.session && organization) state.session = { ...state.session, organization };
      response.status(organization ? 204 : 404).end();
    })
    .post('/sign-out', (_request, response) => {
      state.session = null;
      response.redirect(303, 'https://identity.example.com/signed-out');
    });
}

function enrolmentRoutes(state: State): Router {
  const remove = (id: string): RefusedDevice | undefined => {
    const found = state.refused.find((one) => one.request_id === id);
    state.refused = state.refused.filter((one) => one !== found);
    return found;
  };
  return Router()
    .get('/requests', (request, response) => {
      const { search = '', cursor = '0' } = request.query as Record<string, string>;
      const matching = state.refused.filter(({ device_name: name }) => name.includes(search));
      const end = Number(cursor) + PAGE_SIZE;
      response.json({
        requests: matching.slice(Number(cursor), end),
        next_cursor: end < matching.length ? String(end) : null,
      });
    })
    .post('/requests/:id/admit', (request, response) => {
      const found = remove(request.params.id);
      if (found) state.admitted.push(found.request_id);
      if (found) response.status(204).end();
      else response.status(404).json({ status: 404, detail: 'The device is no longer listed.' });
    })
    .delete('/requests/:id', (request, response) => {
      remove(request.params.id);
      response.status(204).end();
    })
    .get('/window', (_request, response) => {
      response.json({ open_until: state.openUntil, hours_after_registration: 24 });
    })
    .post('/window', async (request, response) => {
      const { hours } = (await readJson(request)) as { hours: number };
      state.openUntil = new Date(Date.now() + hours * 3_600_000);
      response.status(204).end();
    })
    .delete('/window', (_request, response) => {
      state.openUntil = null;
      response.status(204).end();
    });
}

async function readJson(request: AsyncIterable<Buffer>): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}
