import { expect } from 'chai';
import fc from 'fast-check';

import { spreadPoll } from '../../backend/devices/poll-interval.ts';

describe('the poll interval', () => {
  it('is spread by ten percent in both directions', () => {
    expect(spreadPoll(300, 0)).to.equal(270);
    expect(spreadPoll(300, 0.5)).to.equal(300);
    expect(spreadPoll(300, 1)).to.equal(330);
  });

  it('is a whole number of at least one second close to the configured one', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 86_400 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (interval, random) => {
          const seconds = spreadPoll(interval, random);
          expect(seconds).to.be.a('number').that.is.at.least(1);
          expect(Number.isInteger(seconds)).to.equal(true);
          expect(Math.abs(seconds - interval)).to.be.at.most(interval * 0.1 + 0.5);
        },
      ),
    );
  });

  it('differs between devices that start together', () => {
    fc.assert(
      fc.property(fc.integer({ min: 300, max: 86_400 }), (interval) => {
        const answers = Array.from({ length: 11 }, (_, tenth) => spreadPoll(interval, tenth / 10));
        expect(new Set(answers).size).to.equal(11);
      }),
    );
  });
});
