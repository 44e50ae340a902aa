import { nullTranslator } from '@jupyterlab/translation';

import {
  documentsLine,
  filesLine,
  holdersLine,
  runningLine,
  terminalsLine
} from '../lines';
import {
  describeFit,
  describeFreed,
  describeLeft,
  describeMachine,
  describeStays,
  inList,
  inSentence,
  keepsAtStop,
  lastingFolders
} from '../words';
import {
  answer,
  at,
  files,
  GPU,
  RESCUE,
  START,
  stopped,
  STORAGE
} from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

describe('what would be lost, in words', () => {
  it('names what this page and others have unsaved', () => {
    const { pages } = answer();
    expect(documentsLine(pages, [], trans)).toMatchObject({
      state: 'fine',
      text: 'No unsaved changes'
    });
    expect(documentsLine(null, [], trans).state).toBe('looking');
    expect(
      documentsLine({ ...pages, unsaved: ['d/a.py', 'b.py'] }, ['b.py'], trans)
    ).toMatchObject({
      state: 'warn',
      text: '2 documents with unsaved changes',
      detail: 'b.py and a.py · 1 in other tabs',
      all: 'b.py\nd/a.py'
    });
    expect(
      documentsLine({ ...pages, unsaved: ['a.py'] }, [], trans).detail
    ).toContain('in another tab, which saves before the stop');
  });

  it('never takes a page that did not answer for one without changes', () => {
    const pages = { ...answer().pages, known: 2, silent: 1 };
    expect(documentsLine(pages, [], trans)).toMatchObject({
      state: 'warn',
      text: '1 page did not answer'
    });
    expect(documentsLine(pages, ['a.py'], trans).detail).toContain(
      '1 page did not answer'
    );
    expect(documentsLine({ ...pages, asking: true }, [], trans).state).toBe(
      'looking'
    );
  });

  it('says which cells run, and since when', () => {
    const cell = (title: string, since: string | null) => ({
      kernel_id: title,
      title,
      path: title,
      since
    });
    expect(runningLine([], START, trans).state).toBe('fine');
    expect(
      runningLine([cell('train.ipynb', at(-2465))], START, trans)
    ).toMatchObject({
      text: 'train.ipynb is running a cell',
      detail: 'for 41 min'
    });
    expect(
      runningLine([cell('a', at(-30)), cell('b', null)], START, trans)
    ).toMatchObject({
      text: '2 kernels are running a cell',
      detail: 'a (less than a minute) and b (since when is not known)'
    });
  });

  it('counts files so far, and says when nobody knows', () => {
    const lasting = lastingFolders(STORAGE);
    expect(filesLine(null, lasting, trans).state).toBe('looking');
    expect(filesLine(files(), lasting, trans)).toMatchObject({
      state: 'warn',
      text: '3 files (1.2 GB) outside private/ and shared/ would be lost',
      detail: 'model.pt (1.1 GB), notes.txt (2 kB) and 1 more'
    });
    expect(filesLine(files({ state: 'counting' }), lasting, trans).text).toBe(
      '3 files (1.2 GB) so far, counting…'
    );
    expect(
      filesLine(files({ state: 'failed', reason: 'It hangs.' }), [], trans)
    ).toMatchObject({
      state: 'warn',
      text: 'Which files would be lost is not known',
      detail: 'It hangs.'
    });
    expect(
      filesLine(files({ files: 0, bytes: 0, biggest: [] }), [], trans).state
    ).toBe('fine');
  });

  it('says what of them does not fit', () => {
    const rescue = { ...RESCUE, limit_bytes: 1e12 };
    expect(describeFit(files(), rescue, STORAGE, trans)).toBe('');
    expect(describeFit(files({ bytes: 9e9 }), rescue, null, trans)).toBe('');
    expect(
      describeFit(files({ bytes: 9e9 }), rescue, STORAGE, trans)
    ).toContain('Only 8 GB are left there');
  });

  it('says where a stop copies less than there is, or nothing', () => {
    const lots = files({ bytes: 5e9 });
    for (const storage of [STORAGE, null]) {
      expect(describeFit(lots, RESCUE, storage, trans)).toContain(
        'A stop copies up to 1 GB'
      );
    }
    expect(describeFit(files({ bytes: 1e9 }), RESCUE, null, trans)).toBe('');
    const nothing = { ...RESCUE, limit_bytes: 0 };
    expect(describeFit(lots, nothing, STORAGE, trans)).toContain(
      'A stop copies no files here'
    );
    expect(keepsAtStop(nothing)).toBe(false);
    expect(keepsAtStop({ ...RESCUE, possible: false })).toBe(false);
    expect([RESCUE, null].map(keepsAtStop)).toEqual([true, true]);
  });

  it('names programs that hold memory, or run in terminals', () => {
    const holder = {
      kind: 'notebook',
      id: 'a',
      title: 'train.ipynb',
      path: null,
      memory: null
    };
    expect(holdersLine(null, [GPU], trans).state).toBe('looking');
    expect(holdersLine([], [GPU], trans).state).toBe('fine');
    expect(holdersLine([], [{ ...GPU, memory_used: null }], trans).state).toBe(
      'looking'
    );
    expect(
      holdersLine(
        [holder, { ...holder, title: 'b', memory: 2 ** 30 }],
        [GPU],
        trans
      ).detail
    ).toBe('train.ipynb and b (1.0 GiB)');
    expect(terminalsLine([], trans).state).toBe('fine');
    expect(
      terminalsLine(
        [{ name: '2', title: 'Terminal 2', programs: ['python', 'htop'] }],
        trans
      ).detail
    ).toBe('Terminal 2: python, htop');
  });

  it('names what lasts, the outermost folders only', () => {
    expect(lastingFolders(STORAGE)).toEqual(['private/', 'shared/']);
    expect(describeStays(['private/', 'shared/'], trans)).toBe(
      'private/ and shared/ and the environments in there stay.'
    );
    expect(describeStays([], trans)).toContain('storage that lasts');
  });

  it('counts names that do not fit', () => {
    expect(inList([], trans)).toBe('');
    expect(inList(['a', 'b', 'c'], trans)).toBe('a, b and c');
    expect(inList(['a', 'b', 'c', 'd', 'e'], trans)).toBe('a, b, c and 2 more');
  });

  it('leaves out what is not known of the machine', () => {
    const { resources } = answer();
    expect(describeMachine(resources, trans)).toEqual([
      '4 cores',
      '24 GB of memory'
    ]);
    expect(
      describeMachine({ ...resources, cpus: 1, memory_bytes: null }, trans)
    ).toEqual(['1 core']);
  });
});

describe('what was, in words', () => {
  it('is how long a slice was free for others', () => {
    expect(describeFreed(stopped(), trans)).toBe(
      'MIG 1g.5gb was free for others for 13 hours: 13 slice-hours.'
    );
    const freed = { gpu: [], seconds_free: 90, slice_hours: null };
    expect(describeFreed(stopped({ freed }), trans)).toBe(
      'Others could use its resources for 90 seconds.'
    );
    expect(
      describeFreed(stopped({ freed: { ...freed, seconds_free: null } }), trans)
    ).toBe('');
  });

  it('is what was not kept, and why', () => {
    const rescue = stopped().rescue!;
    expect(describeLeft(rescue, trans)).toBe('');
    expect(
      describeLeft(
        {
          ...rescue,
          left: [{ path: '/x/big.bin', size: 1e11, reason: 'It is too big.' }],
          left_count: 2,
          left_bytes: 1e11
        },
        trans
      )
    ).toBe('2 files (100 GB): big.bin. It is too big.');
  });

  it('has the day where that is not today', () => {
    const now = new Date(START);
    now.setHours(14, 0, 0, 0);
    const said = (hours: number): string =>
      inSentence(now.getTime() - hours * 3600000, now.getTime(), trans);
    expect(said(1)).toMatch(/^at /);
    expect(said(24)).toMatch(/^on [A-Za-z]+ at /);
    expect(said(24 * 30)).toMatch(/^on .*\d.* at /);
  });
});
