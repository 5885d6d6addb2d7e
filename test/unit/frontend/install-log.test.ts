import { expect } from 'chai';
import {
  LOG_BACKGROUND,
  LOG_TEXT,
  MIN_CONTRAST,
  contrast,
} from '../../../frontend/target/logs/log-colors.ts';
import { logFileName } from '../../../frontend/target/logs/log-file-name.ts';
import {
  findMatches,
  windowStart,
  matchAtOrAfter,
  adjacentMatch,
} from '../../../frontend/target/logs/log-search.ts';
import { parseLog, shownText } from '../../../frontend/target/logs/terminal-text.ts';

const ESC = '\u001b';
const shown = (log: string) => shownText(parseLog(log));
const look = (log: string) => parseLog(log).map(({ text, style }) => [text, style]);

describe('installation log: shown text', () => {
  const cases: [string, string, string][] = [
    ['plain text', 'one\n\ttwo\n', 'one\n\ttwo\n'],
    ['CRLF', 'one\r\ntwo\r\r\nthree', 'one\ntwo\nthree'],
    ['a progress line', '10%\r20%\r100%\ndone', '100%\ndone'],
    ['a progress line that is still changing', '10%\r20%\r', '20%'],
    ['a progress line that begins with the carriage return', 'get\n\r10%\r20%', 'get\n20%'],
    ['a progress line that erases the line', `10%\r${ESC}[K20%\r${ESC}[K\n`, '20%\n'],
    [
      'a progress line that moves to column 1',
      `10%${ESC}[2K${ESC}[1G20%${ESC}[2K${ESC}[G30%`,
      '30%',
    ],
    ['a spinner', '| \b\b/ \b\b- \b\bok', 'ok'],
    ['backspaces over colors', `ab${ESC}[31mc\b\b${ESC}[0md`, 'ad'],
    ['more backspaces than text', '\b\b\bab\n\b\bc', 'ab\nc'],
    ['cursor moves', `a${ESC}[2Ab${ESC}[10;20Hc${ESC}[Jd${ESC}[?25le`, 'abcde'],
    ['a title', `${ESC}]0;npm install\u0007go`, 'go'],
    ['a hyperlink', `${ESC}]8;;https://x.example${ESC}\\text${ESC}]8;;${ESC}\\!`, 'text!'],
    [
      'device control and private strings',
      `a${ESC}Pq#0${ESC}\\b${ESC}_x${ESC}\\c${ESC}^y${ESC}\\d`,
      'abcd',
    ],
    ['8-bit sequences', 'a\u009b31mb\u009d0;title\u009cc', 'abc'],
    ['character sets and keypad modes', `${ESC}(Ba${ESC}=b${ESC}>c${ESC}7d${ESC}8`, 'abcd'],
    ['a bell, and shifts of tput', 'a\u0007b\u000ec\u000fd', 'abcd'],
    ['other control characters', 'a\u0000b\u000cc\u007fd', 'a\ufffdb\ufffdc\ufffdd'],
    ['a lone escape at the end', `a${ESC}`, 'a'],
    ['a sequence cut at the end', `a${ESC}[38;5`, 'a'],
    ['a sequence cut by a line end', `a${ESC}[1;\nb`, 'a\nb'],
    ['a title cut at the end', `a${ESC}]0;tit`, 'a'],
    ['a title without an end', `a${ESC}]0;tit\nb`, 'a\nb'],
    ['markup', '<img src=x onerror="owned=1">', '<img src=x onerror="owned=1">'],
    ['nothing', '', ''],
  ];
  for (const [what, log, expected] of cases) {
    it(`G45 ${what}`, () => expect(shown(log)).to.equal(expected));
  }

  it('G45 takes linear time for the worst 256 KiB', () => {
    const size = 256 * 1024;
    const worst = [
      `${ESC}[`,
      `${ESC}]`,
      'a\b',
      '\b',
      '\r',
      `${ESC}[31ma${ESC}[32mb`,
      '\n',
      '1;',
      `a\b${ESC}[1m`,
    ];
    for (const part of [
      ...worst,
      `${ESC}[${'1;'.repeat(size / 2)}`,
      'a'.repeat(size / 2) + '\b'.repeat(size / 2),
    ]) {
      const began = performance.now();
      shown(part.repeat(Math.max(1, Math.floor(size / part.length))));
      expect(performance.now() - began, JSON.stringify(part.slice(0, 20))).to.be.below(3_000);
    }
  });
});

describe('installation log: colors', () => {
  const red = '#f47067';
  const cases: [string, string, unknown][] = [
    [
      'a color, and its end',
      `a${ESC}[31mb${ESC}[0mc`,
      [
        ['a', null],
        ['b', { color: red }],
        ['c', null],
      ],
    ],
    [
      'an end without a number',
      `${ESC}[31mb${ESC}[mc`,
      [
        ['b', { color: red }],
        ['c', null],
      ],
    ],
    [
      'an end within a sequence',
      `${ESC}[1mb${ESC}[;31mc`,
      [
        ['b', { fontWeight: 'bold' }],
        ['c', { color: red }],
      ],
    ],
    ['across line ends and other sequences', `${ESC}[31ma${ESC}[K\nb`, [['a\nb', { color: red }]]],
    ['set in a state of the line that is gone', `${ESC}[31m1%\r2%`, [['2%', { color: red }]]],
    [
      'bold, italic, underline, strikethrough',
      `${ESC}[1;3;4;9mx`,
      [
        [
          'x',
          { fontWeight: 'bold', fontStyle: 'italic', textDecoration: 'underline line-through' },
        ],
      ],
    ],
    ['bold twice, ended once', `${ESC}[1m${ESC}[1m${ESC}[22mx`, [['x', null]]],
    ['inverse', `${ESC}[7mx`, [['x', { color: LOG_BACKGROUND, backgroundColor: LOG_TEXT }]]],
    ['256 colors', `${ESC}[38;5;208mx`, [['x', { color: '#ff8700' }]]],
    ['true color', `${ESC}[38;2;255;200;100mx`, [['x', { color: '#ffc864' }]]],
    ['true color with colons', `${ESC}[38:2::255:200:100mx`, [['x', { color: '#ffc864' }]]],
    [
      '256 colors with colons',
      `${ESC}[1;38:5:208mx`,
      [['x', { color: '#ff8700', fontWeight: 'bold' }]],
    ],
    [
      'a curly underline, and its end',
      `${ESC}[4:3mx${ESC}[4:0my`,
      [
        ['x', { textDecoration: 'underline' }],
        ['y', null],
      ],
    ],
    ['the color of an underline', `${ESC}[58;5;1mx${ESC}[58:2::1:2:3my`, [['xy', null]]],
    ['a color that does not exist', `${ESC}[38;5;300mx${ESC}[38;2;1my`, [['xy', null]]],
    ['concealed text', `${ESC}[8mx`, [['x', null]]],
  ];
  for (const [what, log, expected] of cases) {
    it(`G45 ${what}`, () => expect(look(log)).to.deep.equal(expected));
  }

  it('G45 have enough contrast in every combination', () => {
    const codes = (first: number) => Array.from({ length: 8 }, (_, index) => `${first + index}`);
    const table = Array.from({ length: 256 }, (_, index) => `8;5;${index}`);
    const texts = ['39', ...codes(30), ...codes(90), ...table.map((code) => `3${code}`)];
    const backgrounds = ['49', ...codes(40), ...codes(100), '48;5;240', '48;2;119;119;119'];
    for (const text of texts) {
      for (const background of backgrounds) {
        for (const decoration of ['22', '2', '7', '2;7']) {
          const [segment] = parseLog(`${ESC}[${text};${background};${decoration}mx`);
          const { color = LOG_TEXT, backgroundColor = LOG_BACKGROUND } = segment?.style ?? {};
          const pair = `${text} on ${background}, ${decoration}: ${color} on ${backgroundColor}`;
          expect(contrast(color, backgroundColor), pair).to.be.at.least(MIN_CONTRAST);
        }
      }
    }
  });
});

describe('installation log: search', () => {
  const cases: [string, string, string, [number, number][]][] = [
    [
      'matches in any case',
      'Error: ERROR error',
      'error',
      [
        [0, 5],
        [7, 12],
        [13, 18],
      ],
    ],
    ['characters with a meaning in patterns', 'a.b [x] (y) $1 \\d a+b', '[x]', [[4, 7]]],
    ['a backslash', 'C:\\dir', '\\d', [[2, 4]]],
    ['letters that grow in lower case', 'İstanbul x', 'x', [[9, 10]]],
    [
      'emoji',
      '📦📦 ok',
      '📦',
      [
        [0, 2],
        [2, 4],
      ],
    ],
    [
      'without overlaps',
      'aaaa',
      'aa',
      [
        [0, 2],
        [2, 4],
      ],
    ],
    ['nothing', 'text', '', []],
    ['what is not there', 'text', 'other', []],
  ];
  for (const [what, text, query, expected] of cases) {
    it(`G45 finds ${what}`, () =>
      expect(findMatches(text, query).map(({ start, end }) => [start, end])).to.deep.equal(
        expected,
      ));
  }

  it('G45 continues from the current match and wraps around', () => {
    const matches = findMatches('x..x..x', 'x');
    expect([0, 1, 3, 4, 7].map((place) => matchAtOrAfter(matches, place))).to.deep.equal([
      0, 1, 1, 2, 0,
    ]);
    expect([adjacentMatch(2, 1, 3), adjacentMatch(0, -1, 3), adjacentMatch(0, 1, 3)]).to.deep.equal(
      [0, 2, 1],
    );
  });

  it('G45 highlights only matches around the current one if there are too many', () => {
    const first = (current: number, size = 4) => windowStart(current, size, 10);
    expect([first(0), first(5), first(9), first(5, 20)]).to.deep.equal([0, 3, 6, 0]);
  });
});

describe('installation log: file name', () => {
  const cases: [string, string][] = [
    ['gateway 12', 'gateway-12-attempt-2.log'],
    ['../../etc/passwd', 'etc-passwd-attempt-2.log'],
    ['a"<b>:c|d\n?*', 'a-b-c-d-attempt-2.log'],
    ['Gerät.東京', 'Gerät.東京-attempt-2.log'],
    ['///', 'device-attempt-2.log'],
    ['x'.repeat(300), `${'x'.repeat(60)}-attempt-2.log`],
  ];
  for (const [device, name] of cases) {
    it(`G45 ${JSON.stringify(device.slice(0, 20))}`, () =>
      expect(logFileName(device, 2)).to.equal(name));
  }
});
