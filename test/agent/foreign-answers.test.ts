import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import { problemCode, receptionOf } from '../../agent/device/network/answers.ts';
import type { HttpAnswer } from '../../agent/device/network/http-client.ts';
import {
  DeviceServer,
  type Interceptor,
  REGISTRATION_TOKEN,
  answerText,
  on,
  refuse,
} from '../support/agent/device-server.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

const GOOD = makePackage('echo new > "$OTA_ROOT/app/version.txt"');
const PAGE = '<!doctype html><html>Sign in</html>';

/** What answers in place of the product, by the name of its kind. */
const FOREIGN: Record<string, Interceptor> = {
  'a starting host: text/plain 404': answerText(404, 'Not Found'),
  'an ingress: JSON 404 without a code': answerText(404, '{"error":"x"}', 'application/json'),
  'a code in a body that is no problem': answerText(
    404,
    '{"code":"not_found"}',
    'application/json',
  ),
  'a problem with a code nobody knows': refuse(409, 'weather'),
  'a problem with a code of the language': refuse(409, 'constructor'),
  '409 of a proxy': answerText(409, 'conflict'),
  '410 of a proxy': answerText(410, PAGE, 'text/html'),
  '400 of a load balancer': answerText(400, 'Bad Request'),
  '413 of a proxy': answerText(413, PAGE, 'text/html'),
  '403 of a firewall': answerText(403, PAGE, 'text/html'),
  'a portal: HTML 200': answerText(200, PAGE, 'text/html'),
  'an empty 200': answerText(200, '', null),
  '204': answerText(204, '', null),
  'JSON 200 of something else': answerText(200, '"ok"', 'application/json'),
  'null as JSON': answerText(200, 'null', 'application/json'),
  'a list as JSON': answerText(200, '[]', 'application/json'),
  'a redirect to a portal': (_request, response) => {
    response.writeHead(302, { location: 'http://portal.example.com/' }).end();
    return true;
  },
};

describe('agent: answers of something between device and server', () => {
  let server: DeviceServer;
  let device: Sandbox;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url, {
      reports: { wait_seconds: 0.2, retry_min_seconds: 0.02, retry_max_seconds: 0.05 },
    });
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
  });

  /** For the first `times` requests whose path contains the text. */
  function first(times: number, text: string, then: Interceptor): Interceptor {
    let left = times;
    return on(text, (request, response) => left-- > 0 && then(request, response));
  }

  for (const [what, foreign] of Object.entries(FOREIGN)) {
    it(`G09 ${what}: no report is dropped and no attempt abandoned`, async () => {
      server.offerPackage(GOOD);
      server.intercept = first(3, '/status', foreign);
      const exit = await device.once();
      expect(exit.code, exit.stderr).to.equal(0);
      expect(server.statuses).to.deep.equal([
        'downloading',
        'installing',
        'verifying',
        'completed',
      ]);
      expect(server.downloads).to.have.length(1);
    });

    it(`G31 ${what} to a poll: tried again later, one line, no stack`, async () => {
      server.intercept = first(1, 'check-update', foreign);
      const exit = await device.once();
      expect(exit.code, exit.stderr).to.equal(3);
      expect(exit.stderr).to.not.include('TypeError').and.not.include('    at ');
    });
  }

  it('G09 a log is sent again until the product has it', async () => {
    server.offerPackage(GOOD);
    const answers = Object.values(FOREIGN);
    server.intercept = on(
      '/logs',
      (request, response) => answers.shift()?.(request, response) ?? false,
    );
    expect((await device.once()).code).to.equal(0);
    expect(answers).to.deep.equal([]);
    expect(server.log('deployment-1')).to.include('install.sh succeeded');
  });

  it('G09 a download is kept while a starting host answers its progress with 404', async () => {
    await device.configure({
      download: { allow_insecure_loopback: true, progress_interval_seconds: 0.05 },
    });
    server.offerPackage(GOOD);
    let progress = 0;
    server.servePackage = (_request, response) => {
      response.writeHead(200, { etag: server.etag, 'content-length': GOOD.bytes.length });
      response.write(GOOD.bytes.subarray(0, 10));
      server.intercept = on('/status', (request, answer) => {
        if (++progress === 3) response.end(GOOD.bytes.subarray(10));
        return progress < 5 && answerText(404, 'Not Found')(request, answer);
      });
      return true;
    };
    expect((await device.once()).code).to.equal(0);
    expect(progress).to.be.above(4);
    expect(server.downloads).to.have.length(1);
    expect(server.lastReport.status).to.equal('completed');
  });

  it('G09 a package of a starting Ops-Center is asked for again', async () => {
    server.offerPackage(GOOD, {
      update_package_url: `${server.url}/api/v1/ota/packages/${GOOD.sha256}`,
    });
    let asked = 0;
    server.intercept = on('/api/v1/ota/packages/', (request, response) => {
      if (asked++ === 0) return answerText(404, 'Not Found')(request, response);
      response.end(GOOD.bytes);
      return true;
    });
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(0);
    expect(asked).to.equal(2);
  });

  for (const foreign of [
    'a portal: HTML 200',
    'an empty 200',
    'null as JSON',
    'a starting host: text/plain 404',
  ]) {
    it(`G31 register: ${foreign} is not taken for Ops-Center`, async () => {
      server.intercept = on('/register', FOREIGN[foreign] as Interceptor);
      const exit = await device.run([
        'register',
        ...['--force', '--server', server.url, '--token', REGISTRATION_TOKEN],
      ]);
      expect(exit.code, exit.stderr).to.equal(3);
      expect(exit.stderr).to.include('not an answer from Ops-Center').and.not.include('TypeError');
    });
  }

  it('G31 a heartbeat that a portal took is told of', async () => {
    server.intercept = on('/heartbeat', answerText(200, PAGE, 'text/html'));
    const agent = await device.start(['run']);
    await server.until(() => server.polls.length > 3);
    agent.process.kill('SIGTERM');
    expect((await agent.exit).stderr).to.include('a heartbeat failed: 200 with text/html');
  });

  describe('after install.sh', () => {
    const afterScript = (then: Interceptor): Interceptor => {
      return (request, response) =>
        server.statuses.includes('installing') && then(request, response);
    };

    beforeEach(async () => {
      await device.configure({
        reports: { wait_seconds: 0.5, retry_min_seconds: 0.02, retry_max_seconds: 0.05 },
        commit: { deadline_seconds: 0.3 },
      });
      server.offerPackage(GOOD);
    });

    for (const what of [
      'a portal: HTML 200',
      'an empty 200',
      '403 of a firewall',
      'a starting host: text/plain 404',
    ]) {
      it(`G10 ${what} to everything: not confirmed, back to the old version`, async () => {
        const foreign = FOREIGN[what] as Interceptor;
        let answered = 0;
        server.intercept = afterScript((request, response) => {
          // Long enough for the deadline, then the server is back and takes the end.
          if (response.headersSent || server.statuses.includes('rolled_back')) return false;
          answered++;
          return foreign(request, response);
        });
        const agent = await device.start(['run']);
        while ((await device.read('app/version.txt')) !== 'new\n') await sleep(10);
        while ((await device.read('app/version.txt')) !== 'old\n') await sleep(10);
        server.intercept = null;
        await server.until(() => server.statuses.at(-1) === 'rolled_back');
        agent.process.kill('SIGTERM');
        await agent.exit;
        expect(answered).to.be.above(1);
        expect(await device.currentVersion()).to.equal('1.0.0');
      });
    }

    it('G10 a server that answers 503 to everything confirms nothing before the deadline', async () => {
      await device.configure({
        reports: { wait_seconds: 0.5, retry_min_seconds: 0.02, retry_max_seconds: 0.05 },
        commit: { deadline_seconds: 60 },
      });
      let refused = 0;
      server.intercept = afterScript((request, response) => {
        const away = refuse(503, 'overloaded');
        return ++refused < 10 && away(request, response);
      });
      const exit = await device.once();
      expect(exit.code, exit.stderr).to.equal(0);
      expect(server.statuses.slice(-2)).to.deep.equal(['verifying', 'completed']);
      expect(server.log('deployment-1')).to.include('the server has recorded a report');
    });

    it('G10 a definite refusal confirms nothing by itself: a poll does, and the version stays', async () => {
      let polls = 0;
      server.intercept = afterScript((request, response) => {
        if ((request.url ?? '').includes('check-update')) polls++;
        return (
          (request.url ?? '').includes('/status') && refuse(409, 'stale_attempt')(request, response)
        );
      });
      const exit = await device.once();
      expect(exit.code, exit.stderr).to.equal(0);
      expect(polls).to.be.above(0);
      expect(await device.currentVersion()).to.equal('2.0.0');
      expect(server.log('deployment-1')).to.include('refused the report: 409 stale_attempt');
    });

    it('G10 a definite refusal, and no poll is answered: back to the old version', async () => {
      const refused = on('/status', refuse(404, 'not_found'));
      const portal = on('check-update', answerText(200, PAGE, 'text/html'));
      server.intercept = afterScript(
        (request, response) => refused(request, response) || portal(request, response),
      );
      const exit = await device.once();
      expect(exit.code, exit.stderr).to.equal(11);
      expect(await device.currentVersion()).to.equal('1.0.0');
    });

    it('G10 what the server has recorded already confirms', async () => {
      server.intercept = afterScript(on('/status', refuse(409, 'stale_status')));
      const exit = await device.once();
      expect(exit.code, exit.stderr).to.equal(0);
      expect(server.log('deployment-1')).to.include('the server has recorded a report');
    });
  });

  describe('G09 what an answer to a report means', () => {
    const answer = (status: number, body: unknown, mediaType: string | null): HttpAnswer => ({
      status,
      body,
      mediaType,
      retryAfter: null,
      location: null,
    });
    const problem = (status: number, code: string): HttpAnswer =>
      answer(status, { code }, 'application/problem+json');
    const cases: [what: string, answer: HttpAnswer, means: string][] = [
      ['success', answer(200, { status: 'success' }, 'application/json'), 'recorded'],
      ['something else', answer(200, { status: 'ok' }, 'application/json'), 'unknown'],
      ['stale_status', problem(409, 'stale_status'), 'recorded'],
      ['stale_attempt', problem(409, 'stale_attempt'), 'refused'],
      ['not_found', problem(404, 'not_found'), 'refused'],
      ['invalid_request', problem(400, 'invalid_request'), 'refused'],
      ['unauthenticated', problem(401, 'unauthenticated'), 'unknown'],
      ['forbidden', problem(403, 'forbidden'), 'unknown'],
      ['too_many_requests', problem(429, 'too_many_requests'), 'unknown'],
      ['overloaded', problem(503, 'overloaded'), 'unknown'],
      ['a code of nobody', problem(404, 'toString'), 'unknown'],
    ];
    for (const [what, given, means] of cases) {
      it(`${given.status} ${what}: ${means}`, () => {
        expect(receptionOf('status', given)).to.equal(means);
      });
    }

    it('a code counts in a problem only', () => {
      expect(problemCode(answer(404, { code: 'not_found' }, 'application/json'))).to.equal(null);
      expect(problemCode(problem(404, 'not_found'))).to.equal('not_found');
    });
  });
});
