/** What a download needs. */
import type { Logger } from 'pino';
import type { AgentConfig } from '../../config/agent-config.ts';
import type { HttpClient } from '../../network/http-client.ts';

export interface DownloadRequest {
  url: string;
  /** The downloaded file; its description, by which it is resumed, is `<file>.json`. */
  file: string;
  /** SHA-256 of the package; a part of another package is never resumed. */
  checksum: string;
  limits: AgentConfig['download'];
  /** The size, when it is known from a signed manifest: not one byte more is accepted. */
  exactSize: number | null;
  /** The token is sent to this origin only. */
  server: { origin: string; token: string };
  http: HttpClient;
  logger: Logger;
  signal: AbortSignal;
  /** Percent, when the size is known. */
  onProgress: (percent: number | null) => void;
}
