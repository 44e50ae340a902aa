import { nullTranslator } from '@jupyterlab/translation';

import {
  formatBytes,
  formatBytesOf,
  formatDuration,
  formatEstimate
} from '../format';

const trans = nullTranslator.load('jupyter_mlinfn');

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [17_460_000, '17.5 MB'],
    [312_400_000, '312 MB'],
    [999_400_000, '999 MB'],
    [999_600_000, '1 GB'],
    [1_100_000_000, '1.1 GB'],
    [99_960_000_000, '100 GB']
  ])('%d is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe('formatBytesOf', () => {
  it('has one unit for both', () => {
    expect(formatBytesOf(210e6, 1.2e9, trans)).toBe('0.2 of 1.2 GB');
    expect(formatBytesOf(210e6, 312e6, trans)).toBe('210 of 312 MB');
  });
});

describe('formatDuration', () => {
  it.each([
    [0.84, '0.8 s'],
    [34.2, '34 s'],
    [59.7, '1 min'],
    [125, '2 min 5 s'],
    [3780, '1 h 3 min']
  ])('%d is %s', (seconds, text) => {
    expect(formatDuration(seconds, trans)).toBe(text);
  });
});

describe('formatEstimate', () => {
  it.each([
    [0.1, '1 s'],
    [3.2, '4 s'],
    [18.2, '20 s'],
    [61, '2 min']
  ])('%d is about %s', (seconds, text) => {
    expect(formatEstimate(seconds, trans)).toBe(text);
  });
});
