/** Decodes bytes written as `\ooo` (by the kernel in mountinfo, by `getfattr` in names), one character each. */
export function withoutOctalEscapes(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_all, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
