import { expect } from 'chai';
import fc from 'fast-check';
import {
  LimitedOutput,
  keepEnds,
  plainText,
  splitUtf8,
  terminalText,
} from '../../agent/device/process/limited-output.ts';
import { unifiedGroupFolder } from '../../agent/device/process/control-group.ts';
import { isInWindow } from '../../agent/device/updates/permission.ts';
import { packageUrlFault, serverUrlFault } from '../../agent/package/package-url.ts';
import { backoff, parseRetryAfter } from '../../agent/kernel/retry.ts';
import { pollDelay, pollDelayAfterFailure } from '../../agent/device/network/poll-delay.ts';
import { withTimeLimit } from '../../agent/kernel/waiting.ts';

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
    ['//', true, 'is invalid'],
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
  const CONTROL = /[^\P{Cc}\t\n]/u;

  it('F45 takes colours and progress bars out', () => {
    const text = 'a\u001b[1;31mred\u001b[0m 10%\r20%\r\nbell\u0007 \u001b]0;title\u0007end\ttab';
    expect(plainText(Buffer.from(text))).to.equal('ared 10%\n20%\nbell\uFFFD end\ttab');
  });

  it('G45 keeps colours and redrawn lines in an installation log, and nothing else of control', () => {
    const text =
      'a\u001b[1;31mred\u001b[0m 10%\r20%\r\n\u0000\u009b\u0007 \u001b]0;title\u0007end\ttab';
    expect(terminalText(Buffer.from(text))).to.equal(
      'a\u001b[1;31mred\u001b[0m 10%\r20%\n\uFFFD\uFFFD\u0007 \u001b]0;title\u0007end\ttab',
    );
  });

  it('G45 leaves no half escape sequence and no colour behind where a log was cut', () => {
    const output = new LimitedOutput(40, terminalText);
    output.write(Buffer.from('\u001b[31mfirst\n' + '\u001b[1;31mred\u001b[0m line\n'.repeat(20)));
    const text = output.text().replaceAll('\u001b', 'ESC');
    expect(text).to.match(/\nESC\[0m… \d+ bytes left out …\nESC\[1;31mred/);
    const long = '\u001b[31m' + 'x'.repeat(100) + '\u001b[32m\nlast\n';
    expect(keepEnds(long, 70).replace(/.*m…/s, '…')).to.match(
      /^… \d+ bytes or more left out …\nlast\n$/,
    );
  });

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
          const clean = bytes.toString('utf8') === text && !CONTROL.test(text);
          return bytes.length <= limit && clean;
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
  const zone = process.env.TZ;

  before(() => {
    process.env.TZ = 'Europe/Berlin';
  });
  after(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });

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
    ['22:00', '00:00', undefined, '23:59', true],
    ['22:00', '00:00', undefined, '00:00', false],
    ['00:00', '00:00', undefined, '13:00', true],
    ['06:00', '06:00', [3], '05:59', false],
    ['06:00', '06:00', [2], '05:59', true],
  ];
  for (const [start, end, days, time, expected] of cases) {
    it(`${start}–${end} on ${days ?? 'every day'} at ${time}: ${expected}`, () => {
      const window = days ? { start, end, days } : { start, end };
      expect(isInWindow(window, at(time))).to.equal(expected);
    });
  }

  // Summer time began on 29 March and ended on 25 October, each at 01:00 UTC.
  const changes: [string, string, string, boolean][] = [
    ['02:00', '03:00', '2026-03-29T00:59:59Z', false],
    ['02:00', '03:00', '2026-03-29T01:00:00Z', false],
    ['01:00', '04:00', '2026-03-29T01:00:00Z', true],
    ['02:00', '03:00', '2026-10-25T00:30:00Z', true],
    ['02:00', '03:00', '2026-10-25T01:30:00Z', true],
    ['02:00', '03:00', '2026-10-25T02:00:00Z', false],
  ];
  for (const [start, end, instant, expected] of changes) {
    it(`${start}–${end} where the clock changes, at ${instant}: ${expected}`, () => {
      expect(isInWindow({ start, end }, new Date(instant))).to.equal(expected);
    });
  }
});

describe('agent: its control group', () => {
  const mount = (root: string, point: string): string =>
    `29 23 0:26 / /proc rw - proc proc rw\n36 35 0:29 ${root} ${point} rw,nosuid shared:9 - cgroup2 cgroup2 rw\n`;
  const cases: [what: string, cgroup: string, mountinfo: string, folder: string | null][] = [
    [
      'under systemd',
      '0::/system.slice/ota-agent.service\n',
      mount('/', '/sys/fs/cgroup'),
      '/sys/fs/cgroup/system.slice/ota-agent.service',
    ],
    [
      'beside version 1',
      '4:memory:/x\n0::/user.slice\n',
      mount('/', '/sys/fs/cgroup/unified'),
      '/sys/fs/cgroup/unified/user.slice',
    ],
    ['in a container of its own', '0::/\n', mount('/', '/sys/fs/cgroup'), '/sys/fs/cgroup'],
    [
      'where a part of the tree is shown',
      '0::/docker/abc/agent\n',
      mount('/docker/abc', '/sys/fs/cgroup'),
      '/sys/fs/cgroup/agent',
    ],
    ['where another part is shown', '0::/a\n', mount('/ab', '/sys/fs/cgroup'), null],
    ['with version 1 only', '4:memory:/x\n', mount('/', '/sys/fs/cgroup'), null],
    ['where none is mounted', '0::/\n', '29 23 0:26 / /proc rw - proc proc rw\n', null],
  ];
  for (const [what, cgroup, mountinfo, folder] of cases) {
    it(`${what}: ${folder}`, () => {
      expect(unifiedGroupFolder(cgroup, mountinfo)).to.equal(folder);
    });
  }
});

describe('agent: a limit in time', () => {
  /** Work that only its signal can end. */
  const endless = (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      const give = (): void => reject(signal.reason as Error);
      if (signal.aborted) give();
      signal.addEventListener('abort', give);
    });
  const failureOf = (work: Promise<unknown>) => work.catch((error: unknown) => error);

  it('ends work that does not end', async () => {
    const failure = await failureOf(withTimeLimit(5, undefined, endless));
    expect(failure).to.be.an('error').with.property('message', 'not done within 5 ms');
  });

  it('ends with the signal around it, for its reason, also when that came before', async () => {
    const outer = new AbortController();
    const work = failureOf(withTimeLimit(60_000, outer.signal, endless));
    const reason = new Error('the agent stops');
    outer.abort(reason);
    expect(await work).to.equal(reason);
    expect(await failureOf(withTimeLimit(60_000, outer.signal, endless))).to.equal(reason);
  });

  it('has no say any more when the work is done in time', async () => {
    const outer = new AbortController();
    const signal = await withTimeLimit(60_000, outer.signal, async (inTime) => inTime);
    outer.abort();
    expect(signal.aborted).to.equal(false);
  });
});
