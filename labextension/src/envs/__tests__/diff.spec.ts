import { nullTranslator } from '@jupyterlab/translation';

import { countChanges, describeChange, describeDrift } from '../diff';
import { changePlan, NO_FILES, packageChange } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

describe('countChanges', () => {
  it('counts each kind once, and none that is not there', () => {
    const kinds = ['added', 'removed', 'added', 'newer'] as const;
    const packages = kinds.map(change => packageChange({ change }));
    expect(countChanges(packages)).toBe('+2 ↑1 −1');
    expect(countChanges([])).toBe('');
  });
});

describe('describeChange', () => {
  it('says what it needs of what is left', () => {
    expect(describeChange(changePlan(), trans)).toBe(
      '+1 · 8 MB to download · needs about 30 MB of 2 GB left'
    );
  });

  it('does not call an unknown download nothing', () => {
    const plan = changePlan({ download_bytes: null, free_bytes: null });
    expect(describeChange(plan, trans)).toBe(
      '+1 · how much to download is not known · needs about 30 MB'
    );
  });

  it('says what is missing, in bytes or in files', () => {
    const small = changePlan({ fits: false, free_bytes: 1_000_000 });
    expect(describeChange(small, trans)).toContain('only 1 MB left');
    const few = changePlan({ fits: false, free_files: 10 });
    expect(describeChange(few, trans)).toContain('needs 900 files, only 10');
  });
});

describe('describeDrift', () => {
  const drift = {
    noticed: '2026-11-13T09:00:00Z',
    changed: '2026-11-12T12:00:00Z',
    packages: [
      packageChange({ name: 'cowsay', manager: 'pip', to_version: '6.1' }),
      packageChange({
        name: 'numpy',
        change: 'older',
        from_version: '2.1',
        to_version: '1.26'
      })
    ],
    files: {
      ...NO_FILES,
      modified: [{ path: 'lib/a.py', package: 'scipy' }]
    }
  };

  it('names packages, files and the day they were changed', () => {
    const told = describeDrift(drift, trans);
    expect(told).toContain('2 packages were changed outside on');
    expect(told).toMatch(/12/);
    expect(told).toContain('+ cowsay 6.1 (pip), ↓ numpy 2.1 → 1.26');
    expect(told).toContain('; 1 file of scipy was edited by hand');
  });

  it('counts all the files where only some are named', () => {
    const files = { ...drift.files, modified_count: 250 };
    const told = describeDrift({ ...drift, packages: [], files }, trans);
    expect(told).toContain('Files were changed outside on');
    expect(told).toContain('250 files of scipy were edited by hand');
  });
});
