/**
 * The limits that the device API is measured beside: what Express, and what Node.js alone, answer when
 * nothing has to be decided. A process of its own; says on which ports it listens as one line of JSON.
 */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

import express from 'express';

/** The same bytes as the answers they are compared with. */
const ANSWERS = {
  nothing: { update_available: false, poll_after_seconds: 300 },
  offer: {
    update_available: true,
    deployment_id: '0f5a7b5e-3c1d-4b52-9d0a-6f0f3a4f1a01',
    target_version: 'v9.0.0',
    update_package_url: 'https://updates.example.com/packages/v9.0.0.tar.gz',
    checksum: `sha256:${'0'.repeat(64)}`,
    release_notes: 'Made for the bench',
    attempt: 1,
    poll_after_seconds: 300,
  },
  report: { status: 'success', message: 'Recorded: downloading', directive: 'continue' },
};

function expressServer(): RequestListener {
  const app = express();
  app.disable('x-powered-by');
  app.get('/nothing', (_request, response) => void response.json(ANSWERS.nothing));
  app.get('/offer', (_request, response) => void response.json(ANSWERS.offer));
  app.post('/report', express.json(), (_request, response) => void response.json(ANSWERS.report));
  return app as RequestListener;
}

const nodeServer: RequestListener = (request, response) => {
  const name = (request.url ?? '').slice(1) as keyof typeof ANSWERS;
  const answer = JSON.stringify(ANSWERS[name]);
  const respond = (): void => {
    response.writeHead(200, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(answer),
    });
    response.end(answer);
  };
  if (request.method === 'POST') request.resume().on('end', respond);
  else respond();
};

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

console.log(
  JSON.stringify({ express: await listen(expressServer()), node: await listen(nodeServer) }),
);
