import { nullTranslator } from '@jupyterlab/translation';

import { IJobProgress } from '../api';
import {
  describeOutcome,
  describeProgress,
  fractionDone,
  secondsTaken
} from '../describe';
import { job } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

const progress = (change: Partial<IJobProgress>): IJobProgress => ({
  phase: 'downloading',
  packages_done: null,
  packages_total: null,
  bytes_done: null,
  bytes_total: null,
  seconds_left: null,
  ...change
});

describe('describeProgress', () => {
  it('says packages, bytes and time left', () => {
    const text = describeProgress(
      job({
        progress: progress({
          packages_done: 31,
          packages_total: 47,
          bytes_done: 210e6,
          bytes_total: 312e6,
          seconds_left: 18
        })
      }),
      trans
    );
    expect(text).toBe('downloading 31 of 47 · 210 of 312 MB · about 20 s');
  });

  it('says how many files and bytes are copied', () => {
    const copying = progress({
      phase: 'copying',
      files_done: 2,
      files_total: 3,
      bytes_done: 0.8e9,
      bytes_total: 1.2e9
    });
    expect(describeProgress(job({ progress: copying }), trans)).toBe(
      'copying 2 of 3 · 0.8 of 1.2 GB'
    );
    expect(fractionDone(copying)).toBeCloseTo((2 / 3) * 0.98);
  });

  it('says nothing that is not known', () => {
    const solving = job({ progress: progress({ phase: 'solving' }) });
    expect(describeProgress(solving, trans)).toBe('choosing versions');
    expect(describeProgress(job({ state: 'queued' }), trans)).toBe(
      'waiting for its turn'
    );
  });
});

describe('fractionDone', () => {
  it('is not known while solving', () => {
    expect(fractionDone(progress({ phase: 'solving' }))).toBeNull();
    expect(fractionDone(progress({}))).toBeNull();
    expect(fractionDone(null)).toBeNull();
  });

  it('never goes back from phase to phase', () => {
    const steps = [
      progress({ bytes_done: 0, bytes_total: 10 }),
      progress({ bytes_done: 10, bytes_total: 10 }),
      progress({ phase: 'linking', packages_done: 0, packages_total: 4 }),
      progress({ phase: 'linking', packages_done: 4, packages_total: 4 }),
      progress({ phase: 'finishing' })
    ].map(fractionDone);
    expect(steps).toEqual([...steps].sort((a, b) => (a ?? 0) - (b ?? 0)));
    expect(steps[0]).toBe(0);
    expect(steps[4]).toBeLessThan(1);
  });

  it('does not exceed the whole where more is done than was announced', () => {
    expect(
      fractionDone(progress({ bytes_done: 20, bytes_total: 10 }))
    ).toBeCloseTo(0.7);
  });
});

describe('describeOutcome', () => {
  it('says that nothing is left of a cancelled job, but where something is', () => {
    const words = {
      doing: () => 'Keeping',
      done: () => '',
      interrupted: () => ''
    };
    const cancelled = job({ state: 'cancelled' });
    expect(describeOutcome(cancelled, words, trans)).toBe(
      'Keeping was cancelled. Nothing of it was left behind.'
    );
    expect(
      describeOutcome(
        cancelled,
        { ...words, cancelled: () => '2 files are kept.' },
        trans
      )
    ).toBe('2 files are kept.');
  });
});

describe('secondsTaken', () => {
  it('is from start to end', () => {
    expect(secondsTaken(job({ finished: '2026-11-23T20:00:35Z' }))).toBe(34);
    expect(secondsTaken(job())).toBeNull();
  });
});
