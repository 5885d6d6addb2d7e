import { expect } from 'chai';
import { checksumFor, isEarlierAgent } from '../../backend/devices/earlier-agent.ts';

describe('agents of the earlier generation', () => {
  const CLIENTS: [userAgent: string | undefined, isEarlier: boolean][] = [
    ['Python/3.11 aiohttp/3.9.1', true],
    ['Python/3.9.2 aiohttp/3.7.4.post0', true],
    ['python-requests/2.31.0', true],
    ['python-httpx/0.27.0', true],
    ['python-urllib3/2.2.1', true],
    ['Python-urllib/3.11', true],
    ['ota-agent', false],
    ['ota-agent/1.2.0', false],
    ['curl/8.5.0', false],
    ['node', false],
    ['Mozilla/5.0 (X11; Linux x86_64) Python/3.11 aiohttp/3.9.1', false],
    ['my-agent (python-requests)', false],
    ['', false],
    [undefined, false],
  ];
  for (const [userAgent, isEarlier] of CLIENTS) {
    it(`${isEarlier ? 'are' : 'are not'} recognized by ${userAgent ?? 'no User-Agent'}`, () => {
      expect(isEarlierAgent(userAgent)).to.equal(isEarlier);
    });
  }

  const hex = 'a3'.repeat(32);
  const CHECKSUMS: [written: string, earlier: string][] = [
    [hex, hex],
    [`sha256:${hex}`, hex],
    [`SHA256:${hex.toUpperCase()}`, hex],
    [hex.toUpperCase(), hex],
    ['', ''],
  ];
  for (const [written, earlier] of CHECKSUMS) {
    it(`get ${written.slice(0, 12)}… as hex digits, all others as it is written`, () => {
      expect(checksumFor('Python/3.11 aiohttp/3.9.1', written)).to.equal(earlier);
      expect(checksumFor('ota-agent', written)).to.equal(written);
      expect(checksumFor(undefined, written)).to.equal(written);
    });
  }
});
