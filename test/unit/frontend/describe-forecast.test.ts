import { expect } from 'chai';

import type { Forecast } from '../../../backend/contract/admin-api.ts';
import { describeForecast, describeTimeLeft } from '../../../frontend/shared/describe-forecast.ts';

const NOW = new Date('2026-11-01T12:00:00Z');
const inSeconds = (seconds: number) => new Date(NOW.getTime() + seconds * 1_000).toISOString();

function forecast(basis: Partial<Forecast['basis']> = {}): Forecast {
  return {
    earliest: inSeconds(480),
    likely: inSeconds(725),
    latest: inSeconds(1_205),
    basis: { durations: 'this_deployment', updates: 50, assumes: [], not_polling: 0, ...basis },
  };
}

describe('the text of a forecast', () => {
  it('says when, and how sure that is', () => {
    expect(describeForecast(forecast(), NOW)).to.deep.equal({
      text: 'Likely finished in 12 min (8 min to 20 min).',
      basis:
        'Based on 50 updates of this deployment. Nine of ten deployments finish within the range.',
    });
  });

  it('says what an admin has to do for it', () => {
    expect(describeForecast(forecast({ assumes: ['start', 'expand'] }), NOW).text).to.equal(
      'If you start it now and expand it as soon as the canary has finished, likely finished in 12 min (8 min to 20 min).',
    );
  });

  it('names the devices that keep the end open', () => {
    const open = { ...forecast({ not_polling: 3 }), likely: null, latest: null };
    expect(describeForecast(open, NOW).text).to.equal(
      'No end in sight: 3 devices do not poll, and the deployment has no pickup timeout. Earliest end: in 8 min.',
    );
  });

  it('is short in the list, and missing if the deployment waits for an admin', () => {
    expect(describeTimeLeft(forecast(), NOW)).to.equal('about 12 min left');
    expect(describeTimeLeft(forecast({ assumes: ['resume'] }), NOW)).to.equal(null);
    expect(describeTimeLeft(null, NOW)).to.equal(null);
  });

  it('never shows a time in the past', () => {
    const late = { ...forecast(), earliest: inSeconds(-60), likely: inSeconds(-5) };
    expect(describeForecast(late, NOW).text).to.equal('Likely finished in 0 s (0 s to 20 min).');
  });
});
