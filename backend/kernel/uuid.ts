const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether a text is a whole id of a row, as everybody writes it: with hyphens and without brackets. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}
