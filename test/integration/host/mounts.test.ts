import { expect } from 'chai';
import express, { Router } from 'express';
import supertest from 'supertest';

import { MountPoint } from '../../../backend/server/host/mounts.ts';

describe('a mount point', () => {
  let mounts: MountPoint;
  let request: ReturnType<typeof supertest>;

  beforeEach(() => {
    mounts = new MountPoint();
    const app = express()
      .use('/area', mounts.handler)
      .use((_request, response) => response.status(404).send('unmatched'))
      .use(((error: Error, _request, response, _next) => {
        response.status(500).send(error.message);
      }) as express.ErrorRequestHandler);
    request = supertest(app);
  });

  const answering = (path: string, text: string): Router =>
    Router().get(path, (_request, response) => response.send(text));

  it('passes on requests that no router answers', async () => {
    mounts.mount(answering('/known', 'here'));
    await request.get('/area/known').expect(200, 'here');
    await request.get('/area/unknown').expect(404, 'unmatched');
  });

  it('tries routers in the order in which they were mounted', async () => {
    mounts.mount(answering('/a', 'first'));
    mounts.mount(answering('/a', 'second'));
    mounts.mount(answering('/b', 'second'));
    await request.get('/area/a').expect('first');
    await request.get('/area/b').expect('second');
  });

  it('unmounts exactly the given router, and only once', async () => {
    const router = answering('/a', 'shared');
    const removeOne = mounts.mount(router);
    const removeOther = mounts.mount(router);
    removeOne();
    removeOne();
    await request.get('/area/a').expect('shared');
    removeOther();
    await request.get('/area/a').expect(404);
  });

  it('serves a router that is mounted after another was unmounted', async () => {
    mounts.mount(answering('/a', 'before'))();
    mounts.mount(answering('/a', 'after'));
    await request.get('/area/a').expect('after');
  });

  it('shows routers the path below the mount point, and restores it for the next', async () => {
    const seen: string[] = [];
    const record = Router().use((received, _response, next) => {
      seen.push(`${received.baseUrl} ${received.path}`);
      next();
    });
    mounts.mount(record);
    mounts.mount(record);
    await request.get('/area/deep/path').expect(404);
    expect(seen).to.deep.equal(['/area /deep/path', '/area /deep/path']);
  });

  it('passes errors to the application, past the other routers', async () => {
    mounts.mount(
      Router().get('/a', () => {
        throw new Error('broken');
      }),
    );
    mounts.mount(answering('/a', 'never'));
    await request.get('/area/a').expect(500, 'broken');
  });
});
