/**
 * Converts terminal output into static text: colors become styles, a redrawn line shows its last state, and all
 * other escape sequences are removed. The text is untrusted, so everything here must run in linear time.
 */
import { createAnsiSequenceParser, type ParseToken } from 'ansi-sequence-parser';
import { styleOf, type LogStyle } from './log-colors.ts';

/** A piece of text with one style; `null` is the log's default. */
export interface LogSegment {
  text: string;
  style: LogStyle | null;
}

// ECMA-48: a 7-bit or 8-bit introducer, parameters, intermediates, and a final that may be cut off.
const CSI = String.raw`(?:\x1b\[|\x9b)([0-?]*)([ -/]*)([@-~]?)`;
/** OSC, DCS, SOS, PM and APC contain text that is not for display. An unterminated one ends with its line. */
const CONTROL_STRING = String.raw`(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\r\n]*(?:\x07|\x1b\\|\x9c)?`;
const OTHER_ESCAPE = String.raw`\x1b[ -/]*[0-~]?`;
const ESCAPES = new RegExp([CONTROL_STRING, CSI, OTHER_ESCAPE].join('|'), 'g');
/** Control characters without visible effect: BEL, shift out, shift in. */
const SILENT = new RegExp(['\\x07', '\\x0e', '\\x0f'].join('|'), 'g');
/** All control characters except tab, line feed and those that are handled later: BS, CR, ESC. */
// eslint-disable-next-line no-control-regex -- exactly these are kept
const CONTROL = /[^\P{Cc}\t\n\r\u0008\u001b]/gu;

/** A parameter without effect. */
const UNKNOWN_PARAMETER = '99';

export function parseLog(log: string): LogSegment[] {
  const parser = createAnsiSequenceParser();
  const styles = new Map<string, LogStyle | null>();
  const segments: LogSegment[] = [];
  const add = (text: string, style: LogStyle | null) => {
    const last = segments.at(-1);
    if (last?.style === style) last.text += text;
    else segments.push({ text, style });
  };
  const lines = keepColors(log).split('\n');
  lines.forEach((line, index) => {
    for (const token of lastState(line, (text) => parser.parse(text))) {
      add(token.value, styleFor(token, styles));
    }
    if (index < lines.length - 1) add('\n', segments.at(-1)?.style ?? null);
  });
  return segments.filter(({ text }) => text !== '');
}

/** The text as it is shown, without styles. */
export function shownText(segments: readonly LogSegment[]): string {
  return segments.map(({ text }) => text).join('');
}

/** Terminal output without colors, such as the error messages of some agents. */
export function plainText(text: string): string {
  return shownText(parseLog(text));
}

/** Removes all escape sequences except colors, which it rewrites in the one notation that the parser reads. */
function keepColors(log: string): string {
  return log
    .replace(ESCAPES, (_, parameters?: string, intermediates?: string, final?: string) => {
      if (parameters === undefined || intermediates !== '') return '';
      if (final === 'm' && /^[\d;:]*$/.test(parameters))
        return `\u001b[${plainParameters(parameters)}m`;
      // Moving to the first column, or erasing the whole line, starts a redraw of the line.
      const redraws =
        (final === 'G' && /^[01]?$/.test(parameters)) || (final === 'K' && parameters === '2');
      return redraws ? '\r' : '';
    })
    .replace(SILENT, '')
    .replace(CONTROL, '\ufffd');
}

/** `38:2::1:2:3` and `4:3` become `38;2;1;2;3` and `4`; an empty parameter is a reset; underline colors are dropped. */
function plainParameters(parameters: string): string {
  return parameters
    .replace(/\b58;(?:5;\d+|2;\d+;\d+;\d+);?/g, '58:')
    .split(';')
    .map((parameter) => {
      const [code, ...parts] = parameter.split(':');
      const [kind] = parts;
      if (kind === undefined) return code || '0';
      if (code === '58') return UNKNOWN_PARAMETER;
      if (code === '4' && kind === '0') return '24';
      if (code !== '38' && code !== '48') return code;
      return [code, kind, ...(kind === '2' ? parts.slice(-3) : parts.slice(1))].join(';');
    })
    .join(';');
}

/**
 * The final state of a redrawn line. Every state is parsed, since its colors carry over to the next; a carriage
 * return at the end belongs to the line feed.
 */
function lastState(line: string, parse: (text: string) => ParseToken[]): ParseToken[] {
  let last: ParseToken[] = [];
  for (const state of line.split('\r')) {
    const tokens = state.includes('\b') ? applyBackspaces(parse(state)) : parse(state);
    if (tokens.length > 0) last = tokens;
  }
  return last;
}

/** Lets backspaces delete the characters before them, so that a spinner shows its last state. */
function applyBackspaces(tokens: ParseToken[]): ParseToken[] {
  const kept: { token: ParseToken; characters: string[] }[] = [];
  for (const token of tokens) {
    const run = { token, characters: [] as string[] };
    kept.push(run);
    for (const character of token.value) {
      if (character !== '\b') {
        run.characters.push(character);
        continue;
      }
      while (kept.length > 1 && kept.at(-1)?.characters.length === 0) kept.pop();
      kept.at(-1)?.characters.pop();
      if (kept.at(-1) !== run) kept.push(Object.assign(run, { characters: [] }));
    }
  }
  return kept
    .map(({ token, characters }) => ({ ...token, value: characters.join('') }))
    .filter(({ value }) => value !== '');
}

function styleFor(token: ParseToken, known: Map<string, LogStyle | null>): LogStyle | null {
  const key = JSON.stringify([token.foreground, token.background, [...token.decorations].sort()]);
  const style = known.has(key) ? known.get(key) : styleOf(token);
  known.set(key, style ?? null);
  return style ?? null;
}
