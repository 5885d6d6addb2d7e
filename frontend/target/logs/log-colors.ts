/** Terminal colors that are readable on the log's dark background. */
import { createColorPalette, type Color, type ParseToken } from 'ansi-sequence-parser';

/** As in the style of `AttemptLog.vue`. */
export const LOG_BACKGROUND = '#10151d';
export const LOG_TEXT = '#d5dce8';
/** WCAG 2.2, 1.4.3, for text of normal size. */
export const MIN_CONTRAST = 4.5;

const palette = createColorPalette({
  black: '#29303c',
  red: '#f47067',
  green: '#57c17b',
  yellow: '#d9a947',
  blue: '#6cb0ff',
  magenta: '#d08bf0',
  cyan: '#45bfd0',
  white: '#c6cfdc',
  brightBlack: '#8590a2',
  brightRed: '#ff938a',
  brightGreen: '#7fe3a1',
  brightYellow: '#f5cf72',
  brightBlue: '#9cc9ff',
  brightMagenta: '#e4b4ff',
  brightCyan: '#7be0ee',
  brightWhite: '#ffffff',
});

/** CSS properties that differ from the log's default style. */
export type LogStyle = {
  color?: string;
  backgroundColor?: string;
  fontWeight?: 'bold';
  fontStyle?: 'italic';
  textDecoration?: string;
};

/** The style of a token; `null` for the default. Concealed text is shown, since hiding it would protect nothing. */
export function styleOf(token: Omit<ParseToken, 'value'>): LogStyle | null {
  const { decorations } = token;
  let text = rgbOf(token.foreground) ?? LOG_TEXT;
  let background = rgbOf(token.background) ?? LOG_BACKGROUND;
  if (decorations.has('reverse')) [text, background] = [background, text];
  if (decorations.has('dim')) text = mix(text, background, 0.35);
  text = readable(text, background);

  const style: LogStyle = {};
  if (text !== LOG_TEXT) style.color = text;
  if (background !== LOG_BACKGROUND) style.backgroundColor = background;
  if (decorations.has('bold')) style.fontWeight = 'bold';
  if (decorations.has('italic')) style.fontStyle = 'italic';
  const lines = [
    decorations.has('underline') && 'underline',
    decorations.has('overline') && 'overline',
    decorations.has('strikethrough') && 'line-through',
  ].filter((line) => line !== false);
  if (lines.length > 0) style.textDecoration = lines.join(' ');
  return Object.keys(style).length === 0 ? null : style;
}

/** `undefined` for a color that does not exist, such as number 300 of 256. */
function rgbOf(color: Color | null): string | undefined {
  return color === null ? undefined : palette.value(color);
}

/** The color itself if its contrast is sufficient, or the nearest lighter or darker one. */
function readable(color: string, background: string): string {
  const end =
    contrast('#ffffff', background) > contrast('#000000', background) ? '#ffffff' : '#000000';
  for (let share = 0; share < 1; share += 0.1) {
    const candidate = mix(color, end, share);
    if (contrast(candidate, background) >= MIN_CONTRAST) return candidate;
  }
  return end;
}

/** Contrast ratio by WCAG 2.2 of two colors, as `#rrggbb`: from 1 to 21. */
export function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(color: string): number {
  const [red, green, blue] = channels(color).map((channel) => {
    const value = channel / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function mix(color: string, other: string, share: number): string {
  const others = channels(other);
  const mixed = channels(color).map((channel, index) =>
    Math.round(channel + ((others[index] ?? 0) - channel) * share),
  );
  return `#${mixed.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`;
}

function channels(color: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
}
