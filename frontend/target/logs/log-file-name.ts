/** As in `gateway-12-attempt-2.log`, with characters and a length that every file system accepts. */
export function logFileName(device: string, attempt: number): string {
  const safe = device
    .normalize('NFKC')
    .replace(/[^\p{L}\p{N}._]+/gu, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 60);
  return `${safe || 'device'}-attempt-${attempt}.log`;
}
