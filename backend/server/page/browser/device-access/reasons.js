/** Why a device was refused: a label, a sentence for the admin, and whether it calls for attention. */
const REASONS = {
  window_closed: {
    label: 'Not enrolled',
    warn: false,
    sentence:
      'The device called for the first time while enrolment was closed. Admit it if you expect this device.',
  },
  other_token: {
    label: 'Different token',
    warn: true,
    sentence:
      'The device is enrolled with a different token. It may have been registered again, or another machine may be ' +
      'posing as it. Admit it only if you know that it was registered again.',
  },
  hardware_changed: {
    label: 'Different hardware',
    warn: true,
    sentence:
      'The hardware id of the device has changed since it was enrolled. Its hardware may have been replaced, or another ' +
      'machine may have been registered under its name. Admit it only if you know about the replacement.',
  },
};

/** Servers of a later version may send other reasons. */
export function reasonOf({ reason }) {
  return (
    REASONS[reason] ?? {
      label: 'Refused',
      warn: true,
      sentence: `The server refused the device (${reason}).`,
    }
  );
}
