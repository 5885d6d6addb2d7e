/** Limits of a package, and their defaults on devices. */

export interface ExtractLimits {
  /** Bytes, unpacked. */
  max_bytes: number;
  max_entries: number;
  max_depth: number;
  /** Unpacked ÷ packed. */
  max_ratio: number;
}

export const DEFAULT_MAX_PACKAGE_BYTES = 2 * 1024 ** 3;
export const DEFAULT_EXTRACT_LIMITS: Readonly<ExtractLimits> = {
  max_bytes: 4 * 1024 ** 3,
  max_entries: 100_000,
  max_depth: 64,
  max_ratio: 200,
};
