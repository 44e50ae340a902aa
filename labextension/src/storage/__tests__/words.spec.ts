import { nullTranslator } from '@jupyterlab/translation';

import { IRescued } from '../api';
import {
  describeLeft,
  describeNotLasting,
  describeRescued,
  describeType,
  explainPlace,
  filesOf,
  nameOfPrivate,
  nameOfVolume,
  spaceOf
} from '../words';
import { place, volume } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');
const rescued = (change: Partial<IRescued> = {}): IRescued => ({
  folder: '/work/private/rescued/1',
  root_path: 'private/rescued/1',
  files: 3,
  bytes: 1.2e9,
  manifest: null,
  left: [],
  left_count: 0,
  left_bytes: 0,
  changed: [],
  problem: null,
  ...change
});

describe('words of storage', () => {
  it('name kinds of file systems', () => {
    expect(describeType('nfs4', trans)).toBe('network, NFS');
    expect(describeType('overlay', trans)).toBe(
      'part of the container, overlay'
    );
    expect(describeType('fuse.cvmfs2', trans)).toBe(
      'software of the site, CVMFS'
    );
    expect(describeType('fuse.sshfs', trans)).toBe('network, SSH');
    expect(describeType('fuse.rclone', trans)).toBe(
      'mounted by a program, fuse.rclone'
    );
    expect(describeType('', trans)).toBe('type not known');
  });

  it('say how full a volume is, by the own limit where there is one', () => {
    expect(spaceOf(volume(), trans).text).toBe('12 of 50 GB');
    const quota = {
      limit_bytes: 10e9,
      used_bytes: 5e9,
      limit_files: 1000,
      used_files: 990
    };
    const limited = volume({ quota });
    expect(spaceOf(limited, trans)).toEqual({
      share: 0.5,
      text: '5 of 10 GB allowed to you',
      isQuota: true
    });
    expect(filesOf(limited, trans).share).toBeCloseTo(0.99);
  });

  it('never make a nought of what is not reported', () => {
    const silent = volume({
      state: 'silent',
      size_bytes: null,
      used_bytes: null,
      free_bytes: null
    });
    expect(spaceOf(silent, trans)).toMatchObject({
      share: null,
      text: 'not reported'
    });
    expect(filesOf(volume({ files: 0, files_used: 0 }), trans)).toMatchObject({
      share: null,
      text: 'not reported'
    });
  });

  it('tell what does not last from what may not', () => {
    expect(explainPlace(place(), trans)).toBe(
      'What is in this folder is gone when this server stops. It is part of the container. private lasts.'
    );
    expect(explainPlace(place({ persistence: 'unknown' }), trans)).toContain(
      'It is not known'
    );
  });

  it('name folders as the file browser does', () => {
    expect(nameOfVolume(volume({ name: '~' }))).toBe('private');
    expect(nameOfVolume(volume({ name: 'work', root_path: '' }))).toBe('work');
    expect(nameOfPrivate({ path: '/data', root_path: null })).toBe('data');
  });

  it('tell of one document by name, of several by number', () => {
    expect(describeNotLasting(['a/fit.ipynb'], trans)).toBe(
      'fit.ipynb is in a folder that does not last: it is gone when this server stops.'
    );
    expect(describeNotLasting(['a', 'b'], trans)).toContain('2 files are in');
  });

  it('never say that all was kept where it was not', () => {
    expect(describeRescued(rescued(), trans)).toBe(
      '3 files, 1.2 GB kept in private/rescued/1'
    );
    const nothing = rescued({ folder: null, files: 0, problem: 'It is full.' });
    expect(describeRescued(nothing, trans)).toBe('It is full.');
    expect(
      describeLeft(rescued({ left_count: 2, left_bytes: 1e6 }), trans)
    ).toBe('2 files were left where they are (1 MB)');
    expect(describeLeft(rescued(), trans)).toBe('');
  });
});
