/**
 * Preloaded into a process to skew its wall clock by `CLOCK_SKEW_MS`. Monotonic clocks and timers are not
 * affected.
 */
const SKEW = Number(process.env['CLOCK_SKEW_MS']);
const RealDate = Date;

globalThis.Date = class extends RealDate {
  constructor(...args: [] | [number | string]) {
    if (args.length === 0) super(RealDate.now() + SKEW);
    else super(...(args as [number]));
  }

  static override now(): number {
    return RealDate.now() + SKEW;
  }
} as DateConstructor;
