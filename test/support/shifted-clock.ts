/**
 * Preloaded into a process whose clock is to be wrong: `CLOCK_SHIFT_MS` after the real time, or before it.
 * Whatever asks for the time of day gets the wrong one; what measures spans goes on as it is.
 */
const SHIFT = Number(process.env['CLOCK_SHIFT_MS']);
const RealDate = Date;

globalThis.Date = class extends RealDate {
  constructor(...given: [] | [number | string]) {
    if (given.length === 0) super(RealDate.now() + SHIFT);
    else super(...(given as [number]));
  }

  static override now(): number {
    return RealDate.now() + SHIFT;
  }
} as DateConstructor;
