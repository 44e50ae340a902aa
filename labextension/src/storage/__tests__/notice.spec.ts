import { Notification } from '@jupyterlab/apputils';
import { Contents } from '@jupyterlab/services';
import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import { IPlace } from '../api';
import { Places } from '../model';
import { Notices } from '../notice';
import { place } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

async function setUp(change: Partial<IPlace> = {}) {
  const contents = { fileChanged: null as any };
  contents.fileChanged = new Signal<any, Partial<Contents.IChangedArgs>>(
    contents
  );
  const places = new Places(async path =>
    path.startsWith('private')
      ? place({ persistence: 'lasts' })
      : place({ path, ...change })
  );
  await places.get('');
  await places.get('private');
  const open = new Set<string>();
  const moved: string[][] = [];
  const said = { wanted: true, opened: 0 };
  const notices = new Notices({
    contents: contents as unknown as Contents.IManager,
    places,
    mover: { move: async paths => void moved.push(paths) },
    isOpen: path => open.has(path),
    isWanted: () => said.wanted,
    sayNoMore: () => {
      said.wanted = false;
    },
    open: () => {
      said.opened += 1;
    },
    trans
  });
  return { contents, moved, notices, open, said };
}

const shown = (): string[] =>
  Notification.manager.notifications.map(({ message }) => message);
const wait = (): Promise<void> => jest.advanceTimersByTimeAsync(500);

function press(label: string): void {
  const [notification] = Notification.manager.notifications;
  const action = notification.options.actions?.find(one => one.label === label);
  Notification.dismiss(notification.id);
  action?.callback(new MouseEvent('click'));
}

describe('Notices', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
    Notification.dismiss();
  });

  it('says it once of a document, and moves it', async () => {
    const { moved, notices } = await setUp();
    notices.add('fit.ipynb', true);
    notices.add('fit.ipynb', false);
    await wait();
    expect(shown()).toEqual([
      'fit.ipynb is in a folder that does not last: it is gone when this server stops.'
    ]);
    press('Move to private');
    expect(moved).toEqual([['fit.ipynb']]);
    notices.add('fit.ipynb', false);
    await wait();
    expect(shown()).toEqual([]);
  });

  it('says nothing of what was uploaded, and of what is saved where it is open', async () => {
    const { notices, open } = await setUp();
    notices.add('upload.csv', false);
    open.add('open.txt');
    notices.add('open.txt', false);
    await wait();
    expect(shown()).toEqual([expect.stringContaining('open.txt is in')]);
  });

  it('makes one notification of several', async () => {
    const { moved, notices } = await setUp();
    notices.add('a.txt', true);
    notices.add('b.txt', true);
    await wait();
    expect(shown()).toEqual([expect.stringContaining('2 files are in')]);
    notices.add('c.txt', true);
    await wait();
    expect(shown()).toEqual([expect.stringContaining('3 files are in')]);
    press('Move to private');
    expect(moved).toEqual([['a.txt', 'b.txt', 'c.txt']]);
  });

  it('goes by itself when its document has gone to what lasts', async () => {
    const { contents, notices } = await setUp();
    notices.add('fit.ipynb', true);
    await wait();
    contents.fileChanged.emit({
      type: 'rename',
      oldValue: { path: 'fit.ipynb' },
      newValue: { path: 'best.ipynb' }
    });
    expect(shown()).toEqual([expect.stringContaining('best.ipynb is in')]);
    contents.fileChanged.emit({
      type: 'rename',
      oldValue: { path: 'best.ipynb' },
      newValue: { path: 'private/best.ipynb' }
    });
    expect(shown()).toEqual([]);
    // Moved back, it was said of it already.
    contents.fileChanged.emit({
      type: 'rename',
      oldValue: { path: 'private/best.ipynb' },
      newValue: { path: 'best.ipynb' }
    });
    notices.add('best.ipynb', false);
    await wait();
    expect(shown()).toEqual([]);
  });

  it('does not offer what cannot be done', async () => {
    const { notices, said } = await setUp({
      private: { path: '/data/me', root_path: null }
    });
    notices.add('fit.ipynb', true);
    await wait();
    expect(shown()[0]).toContain('/data/me lasts, but JupyterLab does not');
    press('What lasts…');
    expect(said.opened).toBe(1);
  });

  it('is silent once that was asked', async () => {
    const { notices, said } = await setUp();
    notices.add('a.txt', true);
    await wait();
    press("Don't say this again");
    expect(said.wanted).toBe(false);
    notices.add('b.txt', true);
    await wait();
    expect(shown()).toEqual([]);
  });
});
