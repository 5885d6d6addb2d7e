import type { Forecast } from '../../backend/contract/admin-api.ts';
import { texts } from '../texts/texts.ts';
import { formatDuration } from './format.ts';

/** When a deployment will have finished, e.g. "Likely finished in 12 min", and what that is based on. */
export function describeForecast(forecast: Forecast, now: Date): { text: string; basis: string } {
  const t = texts.forecast;
  const { earliest, likely, latest, basis } = forecast;
  const text =
    likely === null || latest === null
      ? t.open(basis.not_polling, secondsUntil(earliest, now))
      : t.likely(
          secondsUntil(likely, now),
          secondsUntil(earliest, now),
          secondsUntil(latest, now),
          basis.assumes,
        );
  return { text, basis: t.basis[basis.durations](basis.updates) };
}

/** For a row of a list: "about 12 min left"; `null`: the deployment waits for something else than its devices. */
export function describeTimeLeft(forecast: Forecast | null, now: Date): string | null {
  const likely = forecast?.likely ?? null;
  if (likely === null || (forecast?.basis.assumes ?? []).length > 0) return null;
  return texts.forecast.left(secondsUntil(likely, now));
}

/** Rounded to whole minutes from one minute on: a forecast is not more exact. */
function secondsUntil(time: string, now: Date): string {
  const seconds = Math.max(0, (new Date(time).getTime() - now.getTime()) / 1_000);
  return formatDuration(
    seconds < 60 ? Math.ceil(seconds / 10) * 10 : Math.round(seconds / 60) * 60,
  );
}
