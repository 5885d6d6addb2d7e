/** An HTTP server with the routes of `createAdmins` and one that shows whom it authenticates. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import express, { Router } from 'express';
import type { Knex } from 'knex';
import { pino } from 'pino';
import supertest from 'supertest';

import type { AdminIdentity } from '../../../backend/host-contract.ts';
import { createAdmins, type Admins } from '../../../backend/server/admins/admins.ts';
import { adminsSchema, type AdminsSettings } from '../../../backend/server/admins/admins.schema.ts';
import { problemHandler } from '../../../backend/server/host/problem.ts';
import { sameOriginSessions } from '../../../backend/server/host/same-origin.ts';

export interface AdminsServer {
  admins: Admins;
  /** `http://127.0.0.1:<port>` with the prefix, if there is one. */
  url: string;
  /** `GET /who` answers with the identity, or 401; `POST /who` is protected against other sites. */
  request: ReturnType<typeof supertest>;
  /** Whom the server authenticates with these headers. */
  who(headers: Record<string, string>): Promise<AdminIdentity | null>;
  /** Everything that was logged, as JSON lines. */
  logs: string[];
  close(): Promise<void>;
}

export interface AdminsServerOptions {
  knex: Knex;
  settings: object;
  /** The prefix that the proxy keeps, e.g. `/ops`. */
  basePath?: string;
  /** The origin for browsers; default the one of this server. */
  publicOrigin?: string;
}

/** @throws Error if the settings are not valid */
export function readAdminsSettings(settings: object): AdminsSettings {
  const { value, error } = adminsSchema.validate(settings, { abortEarly: false });
  if (error) throw error;
  return value;
}

export async function startAdminsServer(options: AdminsServerOptions): Promise<AdminsServer> {
  const { basePath = '', knex, settings } = options;
  const logs: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line) => void logs.push(line) });
  const app = express();
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const admins = createAdmins(readAdminsSettings(settings), {
    knex,
    logger,
    publicUrl: (options.publicOrigin ?? origin) + basePath,
    basePath,
  });
  await admins.prepare();
  const router = Router()
    .use(admins.routes)
    .all('/who', sameOriginSessions, async (request, response) => {
      const identity = await admins.authenticate(request);
      response.status(identity ? 200 : 401).json(identity);
    });
  app.use(basePath === '' ? '/' : basePath, router);
  app.use(problemHandler(logger));
  const url = origin + basePath;
  return {
    admins,
    url,
    request: supertest(url),
    async who(headers) {
      const { status, body } = await supertest(url).get('/who').set(headers);
      if (status !== 200 && status !== 401) throw new Error(`${status}: ${JSON.stringify(body)}`);
      return body as AdminIdentity | null;
    },
    logs,
    async close() {
      await admins.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
