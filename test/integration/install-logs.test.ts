import { expect } from 'chai';

import type { InstallLogs } from '../../backend/contract/admin-api.ts';
import { MAX_INSTALL_LOG_BYTES } from '../../backend/contract/device-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import {
  DEVICE_API,
  openFleet,
  openStage,
  type Fleet,
  type Stage,
} from '../support/ota-scenario.ts';

describe('installation logs', () => {
  let stage: Stage;
  let fleet: Fleet;
  let id: string;

  before(async () => {
    stage = await openStage();
  });

  beforeEach(async () => {
    fleet = await openFleet(stage, 2);
    id = await fleet.roll();
    await fleet.reports(fleet.device, id, 'installing');
  });

  after(() => stage.close());

  const upload = (chunk: string, more: object = {}) =>
    fleet.host
      .as(fleet.device)
      .post(`${DEVICE_API}/deployments/${id}/logs`)
      .query({ device_id: fleet.device.id })
      .send({ attempt: 1, chunk, ...more });

  async function read(): Promise<InstallLogs['attempts']> {
    const answer = await fleet
      .get(`/deployments/${id}/devices/${fleet.device.id}/logs`)
      .expect(200);
    return (answer.body as InstallLogs).attempts;
  }

  it('are nothing at first', async () => {
    expect(await read()).to.deep.equal([]);
  });

  it('grow by what the device sends', async () => {
    await upload('Backing up …\n').expect(202);
    await upload('Installing v2.1.0 …\n').expect(202);
    const [attempt] = await read();
    expect(attempt?.log).to.equal('Backing up …\nInstalling v2.1.0 …\n');
    expect(attempt?.attempt).to.equal(1);
    expect(attempt?.bytes).to.equal(Buffer.byteLength(attempt!.log));
  });

  it('F55 take a chunk once, however often it is sent', async () => {
    await upload('one\n', { offset: 0 }).expect(202);
    await upload('two\n', { offset: 4 }).expect(202);
    await upload('two\n', { offset: 4 }).expect(202);
    await upload('one\n', { offset: 0 }).expect(202);
    expect((await read())[0]?.log).to.equal('one\ntwo\n');
  });

  it('F55 take a chunk once when it arrives twice at the same time', async () => {
    await Promise.all(Array.from({ length: 6 }, () => upload('once\n', { offset: 0 })));
    expect((await read())[0]?.log).to.equal('once\n');
  });

  it('are kept for each attempt', async () => {
    await upload('first\n').expect(202);
    await fleet.reports(fleet.device, id, 'failed');
    await fleet.act(id, 'retry');
    await upload('late words of the first\n').expect(202);
    await upload('second\n', { attempt: 2 }).expect(202);
    expect((await read()).map(({ attempt, log }) => [attempt, log])).to.deep.equal([
      [1, 'first\nlate words of the first\n'],
      [2, 'second\n'],
    ]);
  });

  it('F57 end at 256 KiB, and keep what fitted', async () => {
    const half = 'x'.repeat(MAX_INSTALL_LOG_BYTES / 2);
    await upload(half).expect(202);
    const tooMuch = await upload(`${half}y`);
    expect([tooMuch.status, (tooMuch.body as Problem).code]).to.deep.equal([
      413,
      'log_limit_reached',
    ]);
    await upload(half).expect(202);
    expect((await read())[0]?.bytes).to.equal(MAX_INSTALL_LOG_BYTES);
    await upload('z').expect(413);
    await fleet.reports(fleet.device, id, 'completed');
  });

  it('count bytes, not characters', async () => {
    await upload('ü'.repeat(MAX_INSTALL_LOG_BYTES / 2)).expect(202);
    await upload('.').expect(413);
  });

  it('F71 keep script as text', async () => {
    const script = `<script>fetch('https://evil.example')</script>\u001b[2J`;
    await upload(script).expect(202);
    expect((await read())[0]?.log).to.equal(script);
  });

  it('keep what cannot be stored as a replacement, and offsets still count what was sent', async () => {
    const binary = 'a\u0000b\ud83dc\n';
    await upload(binary, { offset: 0 }).expect(202);
    await upload('next\n', { offset: Buffer.byteLength(binary) }).expect(202);
    const log = (await read())[0]?.log ?? '';
    expect(log).to.match(/^a.b.c\nnext\n$/u);
    expect(log).not.to.include('\u0000');
  });

  for (const [fault, body] of Object.entries({
    'no attempt': { attempt: undefined },
    'an attempt to come': { attempt: 2 },
    'an attempt that is none': { attempt: 0 },
    'a negative offset': { offset: -1 },
    'a chunk that is no text': { chunk: { a: 1 } },
  })) {
    it(`F57 refuse ${fault}`, async () => {
      const answer = await upload('text', body);
      expect([answer.status, (answer.body as Problem).code]).to.deep.equal([
        400,
        'invalid_request',
      ]);
      expect(await read()).to.deep.equal([]);
    });
  }
});
