import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { waitFor } from '../../dev/wait-for.ts';
import { confirmButton, hasStatus } from './support/detail.ts';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { createDeployment, offered } from './support/rollout.ts';

/** A browser opens no more connections to a server over HTTP/1.1 than six. */
const TABS = 8;

describe('page: in many tabs', function () {
  this.timeout(120_000);
  let ops: OpsCenter;
  let first: Page;
  /** Addresses of the streams that any tab has opened, in order. */
  let opened: string[];

  beforeEach(async function () {
    ops = await OpsCenter.open(this);
    first = await ops.signIn();
    // Only the profile is of use from here on.
    await first.goto('about:blank');
    opened = [];
    first.context().on('request', (request) => {
      const url = new URL(request.url());
      if (url.pathname.endsWith('/stream')) opened.push(url.pathname + url.search);
    });
  });
  afterEach(() => ops?.close());

  async function tab(path: string): Promise<Page> {
    const page = await first.context().newPage();
    await page.goto(ops.url + path);
    return page;
  }

  const live = (page: Page) => page.getByText('Live', { exact: true }).waitFor();

  /** Pages in a headless browser are never hidden: this tells the page so. */
  async function hide(page: Page, hidden: boolean): Promise<void> {
    await page.evaluate(
      `Object.defineProperty(document, 'hidden', { configurable: true, value: ${hidden} });
       document.dispatchEvent(new Event('visibilitychange'));`,
    );
  }

  const openStreams = () => ops.metric('ota_event_stream_clients');

  it('G24 all tabs load, are live and accept actions, over one stream', async () => {
    const devices = await ops.addDevices(3);
    const { deployment_id: id } = await createDeployment(ops);
    const tabs: Page[] = [];
    for (let index = 0; index < TABS; index += 1) {
      tabs.push(await tab(index % 2 === 0 ? PAGE_ROOT : `${PAGE_ROOT}/${id}`));
    }
    for (const page of tabs) await live(page);
    await waitFor(async () => ((await openStreams()) === 1 ? true : null), {
      describe: 'one stream is open',
    });

    const detail = tabs.at(-1)!;
    await detail.getByRole('button', { name: 'Start', exact: true }).click();
    await (await confirmButton(detail)).click();
    for (const [index, page] of tabs.entries()) {
      if (index % 2 === 1) await hasStatus(page, 'In progress');
      else await page.locator(`[data-deployment="${id}"]`).getByText('In progress').waitFor();
    }
    const [device] = await offered(devices, id, 3);
    await device!.report(id, { status: 'failed', error_message: 'disk is full' });
    for (const page of tabs.filter((_, index) => index % 2 === 1)) {
      await page.getByText('disk is full').waitFor();
    }
    expect(opened.at(-1)).to.include(`/stream?detail=${id}`);
  });

  it('G24 when the tab with the stream is closed, another takes over and nothing is missed', async () => {
    await ops.addDevices(1);
    const { deployment_id: id } = await createDeployment(ops);
    const leader = await tab(PAGE_ROOT);
    await live(leader);
    const others = [await tab(PAGE_ROOT), await tab(`${PAGE_ROOT}/${id}`)];
    for (const page of others) await live(page);
    const before = opened.length;
    await leader.close();
    await ops.api('POST', `/deployments/${id}/start`);
    await waitFor(() => (opened.length > before ? true : null), {
      describe: 'another tab opens the stream',
    });
    await others[0]!.locator(`[data-deployment="${id}"]`).getByText('In progress').waitFor();
    await hasStatus(others[1]!, 'In progress');
    for (const page of others) await live(page);
  });

  it('G24 a hidden tab closes its stream, and is up to date when it is shown again', async () => {
    await ops.addDevices(1);
    const { deployment_id: id } = await createDeployment(ops);
    const page = await tab(`${PAGE_ROOT}/${id}`);
    await live(page);
    await hide(page, true);
    await waitFor(async () => ((await openStreams()) === 0 ? true : null), {
      timeout: 20_000,
      describe: 'the stream of the hidden tab is closed',
    });
    await ops.api('POST', `/deployments/${id}/start`);
    await hide(page, false);
    await hasStatus(page, 'In progress');
    await live(page);
  });

  it('G24 a frozen tab that holds the stream is replaced', async () => {
    await ops.addDevices(1);
    const { deployment_id: id } = await createDeployment(ops);
    const leader = await tab(PAGE_ROOT);
    await live(leader);
    const other = await tab(PAGE_ROOT);
    await live(other);
    const session = await leader.context().newCDPSession(leader);
    await session.send('Debugger.enable');
    await session.send('Debugger.pause');
    void leader.evaluate('1').catch(() => undefined);
    await other.getByText('Live', { exact: true }).waitFor({ state: 'hidden', timeout: 60_000 });
    await live(other);
    await ops.api('POST', `/deployments/${id}/start`);
    await other.locator(`[data-deployment="${id}"]`).getByText('In progress').waitFor();
    await session.detach();
  });
});
