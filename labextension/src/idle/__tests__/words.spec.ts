import { nullTranslator } from '@jupyterlab/translation';

import {
  describeBusy,
  describeKept,
  formatClock,
  formatCountdown,
  headline,
  inLength,
  outlook
} from '../words';
import { answer, at, deadline, START, warning } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');
const clock = (seconds: number): string =>
  formatClock(START + seconds * 1000, START);

describe('times', () => {
  it('are rounded down: what is told is never later than what happens', () => {
    expect(clock(59)).toBe(clock(0));
    expect(clock(60)).not.toBe(clock(0));
    expect(formatCountdown(118.9)).toBe('1:58');
    expect(formatCountdown(9)).toBe('0:09');
    expect(formatCountdown(-3)).toBe('0:00');
    expect(formatCountdown(3725)).toBe('62:05');
    expect(inLength(119.9, trans)).toBe('119 seconds');
    expect(inLength(1, trans)).toBe('1 second');
    expect(inLength(28 * 60 + 59, trans)).toBe('28 minutes');
    expect(inLength(3 * 3600 + 60, trans)).toBe('3 hours 1 minute');
    expect(inLength(2 * 3600, trans)).toBe('2 hours');
    expect(inLength(3600, trans)).toBe('1 hour');
  });

  it('tell the day where it is another', () => {
    const tomorrow = formatClock(START + 24 * 3600 * 1000, START);
    expect(tomorrow).toContain('Wednesday');
    expect(formatClock(START + 30 * 24 * 3600 * 1000, START)).toContain('24');
  });
});

describe('a warning', () => {
  it('says when, and whether use helps', () => {
    expect(headline(warning(), START, trans)).toBe(
      `This server stops at ${clock(1800)}.`
    );
    expect(headline(warning({ extendable: false }), START, trans)).toBe(
      `This server stops at ${clock(1800)}, used or not.`
    );
  });

  it('is nothing where nothing stops the server', () => {
    expect(outlook(answer({ next: null }), START, trans)).toBe(
      'Nothing stops this server by itself.'
    );
    expect(outlook(answer(), START, trans)).toBe(
      `It stops at ${clock(7200)}, in 2 hours, unless it is used.`
    );
  });

  it('names cells that run', () => {
    const busy = [{ title: 'train.ipynb', path: null, since: at(-41 * 60) }];
    expect(describeBusy(answer({ busy }), START, trans)).toEqual([
      'train.ipynb has been running a cell for 41 minutes.'
    ]);
  });
});

describe('being kept', () => {
  it('is told as it was granted', () => {
    const kept = answer({ kept_until: at(3600) });
    expect(describeKept(kept, 3600, START, trans)).toBe(
      `This server is kept until ${clock(3600)}.`
    );
    expect(describeKept(kept, 4 * 3600, START, trans)).toBe(
      `You asked for ${clock(4 * 3600)}; so far this server is kept until ${clock(3600)}.`
    );
  });

  it('is told with what stops the server all the same', () => {
    const age = deadline({
      source: 'hub_maximum_age',
      time: at(1800),
      extendable: false
    });
    const kept = answer({ kept_until: at(3600), deadlines: [age] });
    expect(describeKept(kept, 3600, START, trans)).toContain(
      `But it stops at ${clock(1800)} all the same`
    );
  });
});
