/** Only the digits, with a prefix `sha256:`, or the output of `sha256sum`: escaped or not, text or binary. */
const SHA256SUM = /^\\?((?:sha256:)?[0-9a-f]{64})(?:\s+\S.*)?$/i;
/** The output of BSD tools, OpenSSL and PowerShell. */
const TAGGED = /^sha2?-?256\s*(?:\(.*\)\s*=\s*|\s)([0-9a-f]{64})(?:\s+\S.*)?$/i;

/** The checksum in a pasted line, with the prefix `sha256:` if it has one; `null` if there is none. */
export function readChecksum(text: string): string | null {
  const line = text.trim();
  return (SHA256SUM.exec(line) ?? TAGGED.exec(line))?.[1] ?? null;
}
