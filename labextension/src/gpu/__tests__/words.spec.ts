import { nullTranslator } from '@jupyterlab/translation';

import { levelOf } from '../bar';
import { describeReleased } from '../release';
import {
  describeSliceHours,
  describeUsage,
  formatMemory,
  formatMemoryOf,
  numberAmong
} from '../words';
import { device, GIB, state, view } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

describe('the words of the GPU room', () => {
  it('gives sizes as NVIDIA counts them', () => {
    expect(formatMemory(0)).toBe('0 MiB');
    expect(formatMemory(37 * 1024 ** 2)).toBe('37 MiB');
    expect(formatMemory(2.94 * GIB)).toBe('2.9 GiB');
    expect(formatMemory(39.4 * GIB)).toBe('39.4 GiB');
    expect(formatMemory(140.7 * GIB)).toBe('141 GiB');
  });

  it('tells devices of the same name from each other, and no others', () => {
    const one = device();
    const other = device({ uuid: 'MIG-2', gi: 11 });
    const big = device({ uuid: 'MIG-3', profile: '3g.20gb' });
    const all = [one, other, big];
    expect(all.map(each => numberAmong(each, all, trans))).toEqual([
      'GPU 0, instance 9',
      'GPU 0, instance 11',
      ''
    ]);
  });

  it('never makes 0 of what is not reported', () => {
    const of = (used: number | null, total: number | null): string =>
      formatMemoryOf({ used, total, free: null }, trans);
    expect(of(3.1 * GIB, 4.75 * GIB)).toBe('3.1 of 4.8 GiB');
    expect(of(0, 4.75 * GIB)).toBe('0.0 of 4.8 GiB');
    expect(of(null, 4.75 * GIB)).toBe('not reported, of 4.8 GiB');
    expect(of(null, null)).toBe('not reported');
    expect(of(GIB, null)).toBe('1.0 GiB, of an amount that is not reported');
  });

  it('tells what was held, and what of it was used', () => {
    const { usage } = view();
    expect(describeUsage(usage, trans)).toBe(
      'Held 3 h 12 min · in use about 41 min'
    );
    expect(describeSliceHours({ ...usage, slices: 2 }, trans)).toBe(
      '6.4 slice-hours held, about 1.4 of them in use'
    );
    expect(describeSliceHours({ ...usage, slices: null }, trans)).toBe('');
    expect(describeUsage({ ...usage, used_seconds: 0 }, trans)).toBe(
      'Held 3 h 12 min · in use less than a minute'
    );
    const off = { ...usage, used_seconds: null, accounting: false };
    expect(describeUsage(off, trans)).toBe(
      'Held 3 h 12 min · in use: not counted on this server'
    );
    expect(describeSliceHours(off, trans)).toBe('3.2 slice-hours held');
  });

  it('warns near full only where the server says that it is', () => {
    const memory = (share: number) => ({
      used: share * GIB,
      total: GIB,
      free: null
    });
    const low = state({ kind: 'memory_low', severity: 'warn' });
    expect(levelOf(state(), memory(0.95))).toBe('ok');
    expect(levelOf(low, memory(0.95))).toBe('warn');
    expect(levelOf(low, memory(0.98))).toBe('error');
    expect(levelOf(low, memory(0.1))).toBe('ok');
    expect(levelOf(low, { ...memory(0.7), free: 0.02 * GIB })).toBe('error');
  });

  it('says how much came back as it was measured', () => {
    const told = (freed_bytes: number | null, freed_note = ''): string =>
      describeReleased(
        { shut: ['k1'], failed: [], freed_bytes, freed_note },
        () => 'train.ipynb',
        trans
      );
    expect(told(2.9 * GIB)).toBe(
      '2.9 GiB of GPU memory came back. Shut down: train.ipynb.'
    );
    expect(told(0)).toContain('No GPU memory has come back');
    expect(told(-GIB)).toContain('No GPU memory has come back');
    expect(told(0, 'Others took more.')).toBe(
      'Shut down: train.ipynb. No GPU memory has come back. Others took more.'
    );
    expect(told(null)).toContain('came back is not known.');
    expect(told(null, 'The driver did not tell.')).toContain(
      'not known. The driver did not tell.'
    );
  });
});
