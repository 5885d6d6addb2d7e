/**
 * The baselines for the device API: an Express server and a bare Node.js server that send constant responses, and an
 * Express server that looks up each poll by itself. Runs as its own process and prints the servers' URLs as one line of
 * JSON. The argument is the connection string of the database.
 */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

import express from 'express';
import pg from 'pg';

/** As large as the responses of the product. */
const RESPONSES = {
  nothing: { update_available: false, poll_after_seconds: 300 },
  offer: {
    update_available: true,
    deployment_id: '0f5a7b5e-3c1d-4b52-9d0a-6f0f3a4f1a01',
    target_version: 'v9.0.0',
    update_package_url: 'https://updates.example.com/packages/v9.0.0.tar.gz',
    checksum: `sha256:${'0'.repeat(64)}`,
    release_notes: 'Created by the benchmark',
    attempt: 1,
    poll_after_seconds: 300,
  },
  report: { status: 'success', message: 'Recorded: downloading', directive: 'continue' },
};

function expressServer(): RequestListener {
  const app = express();
  app.disable('x-powered-by');
  app.get('/nothing', (_request, response) => void response.json(RESPONSES.nothing));
  app.get('/offer', (_request, response) => void response.json(RESPONSES.offer));
  app.post('/report', express.json(), (_request, response) => void response.json(RESPONSES.report));
  return app as RequestListener;
}

const nodeServer: RequestListener = (request, response) => {
  const name = (request.url ?? '').slice(1) as keyof typeof RESPONSES;
  const body = JSON.stringify(RESPONSES[name]);
  const respond = (): void => {
    response.writeHead(200, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
    });
    response.end(body);
  };
  if (request.method === 'POST') request.resume().on('end', respond);
  else respond();
};

/** One statement per poll, without authentication, as the earlier release of Ops-Center answered polls. */
const OPEN_DEPLOYMENT = `
  SELECT d.id, d.target_version, d.metadata
  FROM ota_deployment_devices t JOIN ota_deployments d ON d.id = t.deployment_id
  WHERE t.device_id = $1 AND t.status = 'pending' AND d.status = 'in_progress'
  ORDER BY d.created_at DESC LIMIT 1`;

interface OpenDeployment {
  id: string;
  target_version: string;
  metadata: object | null;
}

/** `/own-connection`: each poll opens a connection, as the earlier release did; `/pool`: it takes one from a pool. */
function lookupServer(databaseUrl: string): RequestListener {
  const app = express();
  app.disable('x-powered-by');
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 20 });
  const answer = (row: OpenDeployment | undefined): object =>
    row
      ? {
          update_available: true,
          deployment_id: row.id,
          target_version: row.target_version,
          ...row.metadata,
        }
      : { update_available: false };
  app.get('/own-connection', async (request, response) => {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    try {
      const { rows } = await client.query<OpenDeployment>(OPEN_DEPLOYMENT, [
        request.query.device_id,
      ]);
      response.json(answer(rows[0]));
    } finally {
      await client.end();
    }
  });
  app.get('/pool', async (request, response) => {
    const { rows } = await pool.query<OpenDeployment>(OPEN_DEPLOYMENT, [request.query.device_id]);
    response.json(answer(rows[0]));
  });
  return app as RequestListener;
}

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const [databaseUrl = ''] = process.argv.slice(2);
console.log(
  JSON.stringify({
    express: await listen(expressServer()),
    node: await listen(nodeServer),
    lookup: await listen(lookupServer(databaseUrl)),
  }),
);
