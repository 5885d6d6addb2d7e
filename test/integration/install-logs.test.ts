import { expect } from 'chai';

import type { InstallLogs } from '../../backend/contract/admin-api.ts';
import { MAX_INSTALL_LOG_BYTES } from '../../backend/contract/device-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import {
  DEVICE_API,
  createFleet,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

describe('installation logs', () => {
  let ota: OtaServer;
  let fleet: Fleet;
  let id: string;

  before(async () => {
    ota = await startOta();
  });

  beforeEach(async () => {
    fleet = await createFleet(ota, 2);
    id = await fleet.rollOut();
    await fleet.reports(fleet.device, id, 'installing');
  });

  after(() => ota.close());

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

  it('are empty at first', async () => {
    expect(await read()).to.deep.equal([]);
  });

  it('grow with each chunk', async () => {
    await upload('Backing up …\n').expect(202);
    await upload('Installing v2.1.0 …\n').expect(202);
    const [attempt] = await read();
    expect(attempt?.log).to.equal('Backing up …\nInstalling v2.1.0 …\n');
    expect(attempt?.attempt).to.equal(1);
    expect(attempt?.bytes).to.equal(Buffer.byteLength(attempt!.log));
  });

  it('F55 store a chunk once if it is sent again', async () => {
    await upload('one\n', { offset: 0 }).expect(202);
    await upload('two\n', { offset: 4 }).expect(202);
    await upload('two\n', { offset: 4 }).expect(202);
    await upload('one\n', { offset: 0 }).expect(202);
    expect((await read())[0]?.log).to.equal('one\ntwo\n');
  });

  it('F55 store a chunk once if its copies arrive at the same time', async () => {
    await Promise.all(Array.from({ length: 6 }, () => upload('once\n', { offset: 0 })));
    expect((await read())[0]?.log).to.equal('once\n');
  });

  it('are kept per attempt', async () => {
    await upload('first\n').expect(202);
    await fleet.reports(fleet.device, id, 'failed');
    await fleet.act(id, 'retry');
    await upload('late chunk of the first\n').expect(202);
    await upload('second\n', { attempt: 2 }).expect(202);
    expect((await read()).map(({ attempt, log }) => [attempt, log])).to.deep.equal([
      [1, 'first\nlate chunk of the first\n'],
      [2, 'second\n'],
    ]);
  });

  it('F57 are limited to 256 KiB', async () => {
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

  it('are limited by bytes, not by characters', async () => {
    await upload('ü'.repeat(MAX_INSTALL_LOG_BYTES / 2)).expect(202);
    await upload('.').expect(413);
  });

  it('F71 store script as text', async () => {
    const script = `<script>fetch('https://evil.example')</script>\u001b[2J`;
    await upload(script).expect(202);
    expect((await read())[0]?.log).to.equal(script);
  });

  it('replace characters that cannot be stored, without changing offsets', async () => {
    const binary = 'a\u0000b\ud83dc\n';
    await upload(binary, { offset: 0 }).expect(202);
    await upload('next\n', { offset: Buffer.byteLength(binary) }).expect(202);
    const log = (await read())[0]?.log ?? '';
    expect(log).to.match(/^a.b.c\nnext\n$/u);
    expect(log).not.to.include('\u0000');
  });

  for (const [fault, body] of Object.entries({
    'no attempt': { attempt: undefined },
    'a future attempt': { attempt: 2 },
    'an invalid attempt': { attempt: 0 },
    'a negative offset': { offset: -1 },
    'a chunk that is not a string': { chunk: { a: 1 } },
  })) {
    it(`F57 reject ${fault}`, async () => {
      const answer = await upload('text', body);
      expect([answer.status, (answer.body as Problem).code]).to.deep.equal([
        400,
        'invalid_request',
      ]);
      expect(await read()).to.deep.equal([]);
    });
  }
});
