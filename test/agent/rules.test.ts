import { expect } from 'chai';
import fc from 'fast-check';
import { LimitedOutput, keepEnds, splitUtf8 } from '../../agent/process/limited-output.ts';
import { isInWindow } from '../../agent/updates/permission.ts';
import { packageUrlFault, serverUrlFault } from '../../agent/network/package-url.ts';
import { backoff, parseRetryAfter, pollDelay, pollDelayAfterFailure } from '../../agent/timing.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const RULES = { interval_seconds: 300, min_seconds: 10, max_seconds: 86_400, jitter_percent: 10 };

describe('agent: when to try again', () => {
  const cases: [string | undefined, number | null][] = [
    ['5', 5000],
    ['0', 1000],
    ['99999999999', 3_600_000],
    ['Sun, 01 Mar 2026 12:00:30 GMT', 30_000],
    ['Sun, 01 Mar 2026 11:00:00 GMT', 1000],
    ['Fri, 01 Jan 2100 00:00:00 GMT', 3_600_000],
    ['soon', null],
    ['', null],
    [undefined, null],
  ];
  for (const [header, expected] of cases) {
    it(`F28 reads Retry-After: ${header} as ${expected} ms`, () => {
      expect(parseRetryAfter(header, NOW)).to.equal(expected);
    });
  }

  it('takes the server’s wish within the limits, jitter only adding', () => {
    expect(pollDelay(RULES, undefined, 0)).to.equal(300_000);
    expect(pollDelay(RULES, 60, 1)).to.equal(66_000);
    expect(pollDelay(RULES, 1, 0)).to.equal(10_000);
    expect(pollDelay(RULES, 1e12, 1)).to.equal(86_400_000);
  });

  it('never waits less than the minimum or, without Retry-After, more than the interval', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (failures, random) => {
          const delay = pollDelayAfterFailure(RULES, failures, null, random);
          return delay >= 10_000 && delay <= 300_000;
        },
      ),
    );
    expect(pollDelayAfterFailure(RULES, 1, 3_600_000, 0)).to.equal(3_600_000);
  });

  it('backs off between the half and the whole of a doubling ceiling', () => {
    expect(backoff(1, 1000, 60_000, 0)).to.equal(500);
    expect(backoff(3, 1000, 60_000, 1)).to.equal(4000);
    expect(backoff(100, 1000, 60_000, 1)).to.equal(60_000);
  });
});

describe('agent: addresses', () => {
  const packages: [string, boolean, string | null][] = [
    ['https://cdn.example.com/p.tar.gz', false, null],
    ['http://cdn.example.com/p.tar.gz', true, 'not https'],
    ['http://127.0.0.1:8080/p', true, null],
    ['http://localhost/p', false, 'allow_insecure_loopback'],
    ['http://127.0.0.1.example.com/p', true, 'not https'],
    ['ftp://cdn.example.com/p', true, 'ftp:'],
    ['//', true, 'cannot be read'],
  ];
  for (const [url, loopback, fault] of packages) {
    it(`package ${url}, loopback ${loopback}: ${fault ?? 'fine'}`, () => {
      const found = packageUrlFault(url, loopback);
      if (fault === null) expect(found).to.equal(null);
      else expect(found).to.include(fault);
    });
  }

  it('F26 never follows from https to http, not even to this machine', () => {
    const from = new URL('https://cdn.example.com/p');
    expect(packageUrlFault('http://127.0.0.1/p', true, from)).to.include('from https to http');
    expect(packageUrlFault('/other', true, from)).to.equal(null);
  });

  it('the server is https, or on this machine', () => {
    expect(serverUrlFault('https://ops.example.com')).to.equal(null);
    expect(serverUrlFault('http://[::1]:8084')).to.equal(null);
    expect(serverUrlFault('http://ops.example.com')).to.include('https');
    expect(serverUrlFault('https://me:secret@ops.example.com')).to.include('password');
  });
});

describe('agent: limited text', () => {
  it('F45 keeps both ends of any flood in valid UTF-8 within the limit', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 20 }),
        fc.integer({ min: 200, max: 2000 }),
        (chunks, limit) => {
          const output = new LimitedOutput(limit);
          for (const chunk of chunks) output.write(Buffer.from(chunk));
          const text = keepEnds(output.text(), limit);
          const bytes = Buffer.from(text, 'utf8');
          return bytes.length <= limit && bytes.toString('utf8') === text && !text.includes('\0');
        },
      ),
    );
  });

  it('keeps everything that fits', () => {
    const output = new LimitedOutput(10);
    for (const part of ['ab', 'cdef', 'ghij']) output.write(Buffer.from(part));
    expect(output.text()).to.equal('abcdefghij');
    output.write(Buffer.from('k'));
    expect(output.text()).to.match(/^abcde\n… 1 bytes left out …\nghijk$/);
  });

  it('splits into pieces that join to the same text at the right offsets', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 300 }),
        fc.integer({ min: 4, max: 50 }),
        (text, limit) => {
          const pieces = splitUtf8(text, limit);
          let offset = 0;
          for (const piece of pieces) {
            if (piece.offset !== offset || Buffer.byteLength(piece.chunk) > limit) return false;
            offset += Buffer.byteLength(piece.chunk);
          }
          return pieces.map((piece) => piece.chunk).join('') === text;
        },
      ),
    );
  });
});

describe('agent: maintenance window', () => {
  // A Wednesday, in local time.
  const at = (time: string): Date => new Date(`2026-03-04T${time}:00`);
  const cases: [string, string, number[] | undefined, string, boolean][] = [
    ['02:00', '04:00', undefined, '03:00', true],
    ['02:00', '04:00', undefined, '04:00', false],
    ['22:00', '04:00', undefined, '23:00', true],
    ['22:00', '04:00', undefined, '03:59', true],
    ['22:00', '04:00', undefined, '12:00', false],
    ['22:00', '04:00', [2], '03:00', true],
    ['22:00', '04:00', [3], '03:00', false],
    ['02:00', '04:00', [3], '03:00', true],
    ['02:00', '04:00', [4], '03:00', false],
  ];
  for (const [start, end, days, time, expected] of cases) {
    it(`${start}–${end} on ${days ?? 'every day'} at ${time}: ${expected}`, () => {
      const window = days ? { start, end, days } : { start, end };
      expect(isInWindow(window, at(time))).to.equal(expected);
    });
  }
});
