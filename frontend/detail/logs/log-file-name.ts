/** `gateway-12-attempt-2.log`: characters that every file system takes, and no longer than it takes. */
export function logFileName(device: string, attempt: number): string {
  const safe = device
    .normalize('NFKC')
    .replace(/[^\p{L}\p{N}._]+/gu, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 60);
  return `${safe || 'device'}-attempt-${attempt}.log`;
}
