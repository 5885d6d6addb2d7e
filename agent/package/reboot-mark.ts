/**
 * A file at the root of a package that requests a reboot after `install.sh`, as the script itself can by
 * creating the file named by `OTA_REBOOT_REQUIRED`. `ota pack --reboot` adds it. With it, a device whose boot
 * loader cannot be used rejects the package before anything is changed.
 */
export const REBOOT_MARK = 'reboot-required';
