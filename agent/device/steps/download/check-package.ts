/** Size and SHA-256 of the downloaded file. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { StepFailure } from '../../../kernel/errors.ts';

/**
 * @param checksum 64 hex digits, lower case
 * @throws {StepFailure} when the file is not the package of the deployment
 */
export async function checkPackage(
  file: string,
  checksum: string,
  signal: AbortSignal,
): Promise<void> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(file, { signal })) {
    hash.update(chunk as Buffer);
    size += (chunk as Buffer).length;
  }
  const actual = hash.digest('hex');
  if (actual !== checksum) {
    throw new StepFailure(
      `The package's SHA-256 is ${actual} (${size} bytes), but the deployment expects ${checksum}. Nothing was installed.`,
      'verification',
    );
  }
}
