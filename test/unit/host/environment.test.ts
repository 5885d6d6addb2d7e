import { expect } from 'chai';

import { readEnvironment } from '../../../dev/host/environment.ts';

describe('the environment of the host', () => {
  it('has defaults for development', () => {
    expect(readEnvironment({})).to.deep.include({
      port: 8084,
      listen: '127.0.0.1',
      role: 'all',
      processes: 1,
      pluginConfig: { allow_insecure_loopback_packages: true },
    });
  });

  it("contains the plugin's settings as JSON", () => {
    const { pluginConfig } = readEnvironment({ OPS_OTA_CONFIG: '{"poll_interval_seconds": 5}' });
    expect(pluginConfig).to.deep.equal({ poll_interval_seconds: 5 });
  });

  it('is rejected with the names of all invalid variables', () => {
    const wrong = { PORT: 'x', OPS_ROLE: 'boss', OPS_OTA_CONFIG: '[1]', REDIS_URL: 'http://x' };
    expect(() => readEnvironment(wrong))
      .to.throw()
      .with.property('message')
      .that.matches(/"PORT".*"REDIS_URL".*"OPS_ROLE".*"OPS_OTA_CONFIG" must be a JSON object/);
  });

  it('may ask for several processes', () => {
    expect(readEnvironment({ OPS_PROCESSES: '2' })).to.include({ processes: 2 });
    for (const wrong of ['0', '1.5', '-1', 'two', '1000']) {
      expect(() => readEnvironment({ OPS_PROCESSES: wrong })).to.throw('OPS_PROCESSES');
    }
  });

  it('cannot ask for metrics of several processes behind one port', () => {
    const both = { OPS_PROCESSES: '2', OPS_METRICS_TOKEN: 'a-token-of-the-scraper' };
    expect(() => readEnvironment(both)).to.throw('OPS_METRICS_TOKEN needs OPS_PROCESSES=1');
    expect(readEnvironment({ ...both, OPS_PROCESSES: '1' })).to.include({ processes: 1 });
  });

  it('must name the database of a worker', () => {
    expect(() => readEnvironment({ OPS_ROLE: 'worker' })).to.throw('DATABASE_URL');
  });
});
