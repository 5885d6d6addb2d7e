/** Digits alone, with `sha256:` in front, or as `sha256sum` prints them: escaped or not, text or binary. */
const SHA256SUM = /^\\?((?:sha256:)?[0-9a-f]{64})(?:\s+\S.*)?$/i;
/** As BSD, OpenSSL and PowerShell print them. */
const TAGGED = /^sha2?-?256\s*(?:\(.*\)\s*=\s*|\s)([0-9a-f]{64})(?:\s+\S.*)?$/i;

/** The checksum that stands in a line, as an operator pastes it; `null` when it is none. */
export function readChecksum(text: string): string | null {
  const line = text.trim();
  return (SHA256SUM.exec(line) ?? TAGGED.exec(line))?.[1] ?? null;
}
