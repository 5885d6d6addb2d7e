import { expect } from 'chai';

import { readEnvironment } from '../../../dev/host/environment.ts';

describe('the environment of the host', () => {
  it('has defaults for development', () => {
    expect(readEnvironment({})).to.deep.include({
      port: 8084,
      listen: '127.0.0.1',
      role: 'all',
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

  it('must name the database of a worker', () => {
    expect(() => readEnvironment({ OPS_ROLE: 'worker' })).to.throw('DATABASE_URL');
  });
});
