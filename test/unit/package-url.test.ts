import { expect } from 'chai';
import fc from 'fast-check';

import { packageUrlError } from '../../backend/contract/package-url.ts';

const ALWAYS = [
  'https://cdn.example.com/updates/v2.1.0.tar.gz',
  'HTTPS://cdn.example.com/x',
  'https://cdn.example.com:8443/x?token=a%20b&c=d#e',
  'https://[2001:db8::1]/x',
  'https://localhost/x',
  'https://münchen.example/päckchen.tar.gz',
];
const ON_LOOPBACK = [
  'http://localhost:8084/x',
  'http://127.0.0.1/x',
  'http://127.1.2.3:80/x',
  'http://[::1]:8084/x',
];
const NEVER = [
  '',
  'cdn.example.com/x',
  '/updates/x.tar.gz',
  '//cdn.example.com/x',
  'https:cdn.example.com/x',
  'https:///x',
  'https:\\\\cdn.example.com\\x',
  'https://',
  'http://cdn.example.com/x',
  'http://localhost.example.com/x',
  'http://127.0.0.1.example.com/x',
  'http://128.0.0.1/x',
  'http://0.0.0.0/x',
  'http://[::2]/x',
  'http://192.168.0.1/x',
  'ftp://cdn.example.com/x',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'data:application/gzip;base64,AAAA',
  'https://user@cdn.example.com/x',
  'https://user:secret@cdn.example.com/x',
  'https://:secret@cdn.example.com/x',
  'http://user@localhost/x',
  'https://cdn.example.com/a b',
  'https://cdn.example.com/a\nHost: b',
  'ht\ntps://cdn.example.com/a',
  'https://cdn.example.com/\u0000',
  'https://cdn.example.com/\ud800',
];

describe('the check of package URLs', () => {
  for (const url of ALWAYS) {
    it(`accepts ${url}`, () => {
      expect(packageUrlError(url, false)).to.equal(null);
      expect(packageUrlError(url, true)).to.equal(null);
    });
  }

  it('still accepts international domain names after very many calls', () => {
    const CALLS = 200_000;
    for (let call = 0; call < CALLS; call += 1) {
      packageUrlError('https://cdn.example.com/updates/v2.1.0.tar.gz', false);
    }
    expect(packageUrlError('https://münchen.example/päckchen.tar.gz', false)).to.equal(null);
  });

  for (const url of ON_LOOPBACK) {
    it(`accepts ${url} only where loopback is allowed`, () => {
      expect(packageUrlError(url, true)).to.equal(null);
      expect(packageUrlError(url, false)).to.match(/^must be an https/);
    });
  }

  for (const url of NEVER) {
    it(`rejects ${JSON.stringify(url)}`, () => {
      expect(packageUrlError(url, false)).to.match(/^must /);
      expect(packageUrlError(url, true)).to.match(/^must /);
    });
  }

  it('never throws, and only accepts absolute https URLs', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl()), (text) => {
        if (packageUrlError(text, false) === null) expect(text).to.match(/^https:\/\/[^/\s]/i);
      }),
    );
  });
});
