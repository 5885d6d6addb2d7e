import { stripVTControlCharacters } from 'node:util';

/** Names and messages come from devices and admins: no control characters reach the terminal. */
export function oneLine(text: string | null, otherwise = 'no reason given'): string {
  return stripVTControlCharacters(text ?? otherwise)
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, 500);
}
