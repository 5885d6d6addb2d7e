import { writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import type { Manifest } from '../../backend/contract/signing/manifest.ts';
import { DeviceServer } from '../support/agent/device-server.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';
import { manifestOf, newKeyPair, pemOf, signManifest } from '../support/signing-fixtures.ts';

const key = newKeyPair();

describe('agent: several products on a device', () => {
  let server: DeviceServer;
  let device: Sandbox;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
    await configure();
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
  });

  const configure = (change: object = {}): Promise<void> =>
    device.configure({
      signatures: { device_type: 'pump', keys: [{ id: 'release', public_key: pemOf(key) }] },
      ...change,
    });

  /** Offers a release of a product, which writes its version into a file of its own. */
  async function install(
    name: string,
    version: string,
    sequence: number,
    more = '',
  ): Promise<number | null> {
    const script = `echo ${version} > "$OTA_ROOT/app/${name}"; echo "$OTA_PREVIOUS_VERSION" > "$OTA_ROOT/app/before"; ${more}`;
    const made = makePackage(script);
    const manifest: Partial<Manifest> = {
      name,
      version,
      sequence,
      device_types: ['pump'],
      sha256: made.sha256,
      size: made.bytes.length,
      unpacked_size: Buffer.byteLength(script),
      file_count: 1,
    };
    const signed = signManifest(manifestOf(manifest), key);
    server.offerPackage(made, { target_version: version, ...signed });
    return (await device.once()).code;
  }

  const text = async (file: string): Promise<string> => (await device.read(`app/${file}`)).trim();

  /** What the next poll tells the server. */
  async function polled(): Promise<object> {
    await device.once();
    const { current_version, components } = server.polls.at(-1) ?? {};
    return { current_version, components };
  }

  it('has a version and a sequence for each, and the file with the version is of the main one', async () => {
    expect(await install('firmware', '2.0.0', 7)).to.equal(0);
    expect(server.lastReport).to.include({ status: 'completed', installed_version: '2.0.0' });
    expect(server.lastReport).to.not.have.property('component');
    expect(await install('screen', '5.1', 3)).to.equal(0);
    expect(server.lastReport).to.include({
      status: 'completed',
      component: 'screen',
      installed_version: '5.1',
    });
    expect(await text('before')).to.equal('');
    expect(await device.currentVersion()).to.equal('2.0.0');
    expect(await polled()).to.deep.equal({
      current_version: '2.0.0',
      components: { firmware: '2.0.0', screen: '5.1' },
    });
    expect((await device.status()).components).to.deep.equal({ firmware: '2.0.0', screen: '5.1' });
    expect(await install('screen', '5.2', 4)).to.equal(0);
    expect(await text('before')).to.equal('5.1');
    expect(await install('firmware', '2.1.0', 8)).to.equal(0);
    expect(await text('before')).to.equal('2.0.0');
    expect(await polled()).to.deep.equal({
      current_version: '2.1.0',
      components: { firmware: '2.1.0', screen: '5.2' },
    });
  });

  it('refuses an older sequence of the same product only', async () => {
    await install('firmware', '2.0.0', 7);
    await install('screen', '5.1', 3);
    expect(await install('screen', '5.0', 2)).to.equal(10);
    expect(server.lastReport).to.include({
      status: 'failed',
      component: 'screen',
      installed_version: '5.1',
      failure_cause: 'verification',
    });
    expect(server.lastReport.error_message).to.include('sequence 2 is older than 3');
    expect(await install('firmware', '1.9', 6)).to.equal(10);
    expect(server.lastReport.error_message).to.include('sequence 6 is older than 7');
    expect(await device.currentVersion()).to.equal('2.0.0');
  });

  it('rolls back the product whose update failed, and no other', async () => {
    await install('firmware', '2.0.0', 7);
    await install('screen', '5.1', 3);
    expect(await install('screen', '5.2', 4, 'exit 1')).to.equal(11);
    expect(server.lastReport).to.include({
      status: 'rolled_back',
      component: 'screen',
      installed_version: '5.1',
      failure_cause: 'install',
    });
    expect([await text('firmware'), await text('screen')]).to.deep.equal(['2.0.0', '5.1']);
    expect(await polled()).to.deep.equal({
      current_version: '2.0.0',
      components: { firmware: '2.0.0', screen: '5.1' },
    });
    // The sequence of an update that failed was never installed.
    expect(await install('screen', '5.1.1', 3)).to.equal(0);
  });

  it('rolls back on request what the deployment updated', async () => {
    await install('firmware', '2.0.0', 7);
    await install('screen', '5.1', 3);
    await install('screen', '5.2', 4);
    server.rollback = { deployment_id: 'deployment-3', version: '5.1', attempt: 1 };
    expect((await device.once()).code).to.equal(11);
    expect(server.lastReport).to.include({ component: 'screen', installed_version: '5.1' });
    expect([await text('firmware'), await text('screen')]).to.deep.equal(['2.0.0', '5.1']);
    expect(await device.currentVersion()).to.equal('2.0.0');
    // The sequence stays: only the snapshot leads back.
    expect(await install('screen', '5.1', 3)).to.equal(10);
  });

  it('does not roll back another product that was updated since', async () => {
    await install('firmware', '2.0.0', 7);
    await install('screen', '2.0.0', 3);
    const before = await device.picture();
    server.rollback = { deployment_id: 'deployment-1', version: '1.0.0', attempt: 1 };
    expect((await device.once()).code).to.equal(10);
    expect(server.lastReport).to.include({ status: 'failed', installed_version: '2.0.0' });
    expect(await device.picture()).to.equal(before);
    expect(await polled()).to.deep.equal({
      current_version: '2.0.0',
      components: { firmware: '2.0.0', screen: '2.0.0' },
    });
  });

  it('does not take another version for the one of a component', async () => {
    await install('firmware', '2.0.0', 7);
    await install('screen', '2.0.0', 3);
    await install('firmware', '2.1.0', 8);
    // The main product's version says nothing about the screen's.
    server.rollback = { deployment_id: 'deployment-2', version: '2.1.0', attempt: 1 };
    expect((await device.once()).code).to.equal(10);
    expect(server.lastReport.component).to.equal('screen');
  });

  it('continues a component’s rollback when the journal is damaged', async () => {
    await install('firmware', '2.0.0', 7);
    await install('screen', '5.1', 3);
    await install('screen', '5.2', 4, 'kill -9 $PPID; sleep 9');
    await writeFile(device.state('journal.json'), 'x');
    await device.once();
    expect(server.lastReport).to.include({ component: 'screen', installed_version: '5.1' });
    expect([await text('firmware'), await text('screen')]).to.deep.equal(['2.0.0', '5.1']);
    expect(await device.currentVersion()).to.equal('2.0.0');
  });

  it('takes the main product from the configuration', async () => {
    await configure({ main_package: 'firmware' });
    expect(await install('screen', '5.1', 3)).to.equal(0);
    expect(server.lastReport.component).to.equal('screen');
    expect(await device.currentVersion()).to.equal('1.0.0');
    expect(await polled()).to.deep.equal({
      current_version: '1.0.0',
      components: { firmware: '1.0.0', screen: '5.1' },
    });
  });

  it('counts packages without a name as the main product', async () => {
    await device.configure({ signatures: {} });
    server.offerPackage(makePackage('true'), { target_version: '1.1.0' });
    expect((await device.once()).code).to.equal(0);
    await install('firmware', '2.0.0', 7);
    server.offerPackage(makePackage('true'), { target_version: '2.0.1' });
    expect((await device.once()).code).to.equal(0);
    expect(await polled()).to.deep.equal({
      current_version: '2.0.1',
      components: { firmware: '2.0.1' },
    });
  });

  it('installs nothing when it cannot know the sequences', async () => {
    await install('firmware', '2.0.0', 7);
    await install('screen', '5.1', 3);
    await writeFile(device.state('components.json'), '{"main":');
    expect(await install('screen', '4.0', 1)).to.equal(10);
    expect(server.lastReport.error_message).to.include('components.json does not hold');
    expect(await text('screen')).to.equal('5.1');
  });
});
