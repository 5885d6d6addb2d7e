/** Written into the file when it is bundled; `dev/shipping/bundle.ts`. */
declare const OTA_BUILD_VERSION: string | undefined;

export const BUILD_VERSION =
  typeof OTA_BUILD_VERSION === 'undefined' ? 'unbundled' : OTA_BUILD_VERSION;
