import { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { nullTranslator } from '@jupyterlab/translation';

import { PersonInput } from '../../attention';
import { IdleActions } from '../actions';
import { ISaved } from '../api';
import { DesktopNotices } from '../desktop';
import { Documents } from '../documents';
import { PageReporter } from '../reporter';
import { describe as say, Saver } from '../saving';
import { answer, at, setUp, unreachable } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');
const tick = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

interface IFile {
  dirty?: boolean;
  writable?: boolean;
  hash?: string;
  onDisk?: string | number;
  save?: () => Promise<void>;
  collaborative?: boolean;
}

/**
 * JupyterLab with these documents open, each in a widget of its own.
 */
function documents(files: { [path: string]: IFile }) {
  const widgets = Object.keys(files);
  const saves = jest.fn();
  const shell = {
    widgets: (area: string) => {
      if (area === 'top') {
        throw new Error('no such area');
      }
      return area === 'main' ? [...widgets, 'launcher', widgets[0]] : [];
    }
  } as unknown as JupyterFrontEnd.IShell;
  const contexts = new Map(
    widgets.map(path => {
      const file = files[path];
      return [
        path,
        {
          path,
          model: {
            dirty: file.dirty ?? true,
            collaborative: file.collaborative ?? false
          },
          contentsModel: {
            writable: file.writable ?? true,
            hash: file.hash ?? 'same',
            last_modified: at(0)
          },
          save: async () => {
            saves(path);
            await file.save?.();
          }
        }
      ];
    })
  );
  const get = async (path: string) => {
    const found = files[path].onDisk ?? 'same';
    if (typeof found === 'number') {
      throw Object.assign(new Error(`status ${found}`), {
        response: { status: found }
      });
    }
    return { hash: found, last_modified: at(0) };
  };
  const manager = {
    contextForWidget: (widget: unknown) => contexts.get(widget as string),
    services: { contents: { get } }
  } as unknown as IDocumentManager;
  return { all: new Documents(shell, manager, trans), saves };
}

describe('Documents', () => {
  it('saves what has changes, each document once', async () => {
    const { all, saves } = documents({
      'a.ipynb': {},
      'b.py': { dirty: false },
      'c.txt': {}
    });
    expect(all.list()).toEqual({
      open: ['a.ipynb', 'b.py', 'c.txt'],
      unsaved: ['a.ipynb', 'c.txt']
    });
    expect(await all.saveAll(1000)).toEqual({
      open: ['a.ipynb', 'b.py', 'c.txt'],
      documents: ['a.ipynb', 'c.txt'],
      failed: []
    });
    expect(saves.mock.calls).toEqual([['a.ipynb'], ['c.txt']]);
  });

  it('asks nobody about what is to be disregarded', async () => {
    const { all } = documents({ 'a.ipynb': {}, 'b.py': {} });
    all.disregard(['a.ipynb', 'elsewhere.txt']);
    expect(all.list().unsaved).toEqual(['b.py']);
  });

  it('overwrites nothing that changed on disk, and says so', async () => {
    const { all, saves } = documents({ 'a.ipynb': { onDisk: 'another' } });
    const { documents: done, failed } = await all.saveAll(1000);
    expect(done).toEqual([]);
    expect(failed[0].path).toBe('a.ipynb');
    expect(failed[0].reason).toContain('it was not overwritten');
    expect(saves).not.toHaveBeenCalled();
  });

  it('makes anew what was removed, and leaves the rest to the server of documents', async () => {
    const { all } = documents({
      'gone.txt': { onDisk: 404 },
      'shared.ipynb': { collaborative: true, onDisk: 'another' }
    });
    expect((await all.saveAll(1000)).documents.sort()).toEqual([
      'gone.txt',
      'shared.ipynb'
    ]);
  });

  it('reports each failure with its reason, and saves the others', async () => {
    const { all } = documents({
      'ro.txt': { writable: false },
      'full.txt': {
        save: () => Promise.reject(new Error('No space left on device'))
      },
      'down.txt': { onDisk: 500 },
      'good.txt': {}
    });
    const { documents: done, failed } = await all.saveAll(1000);
    expect(done).toEqual(['good.txt']);
    const reasons = new Map(failed.map(({ path, reason }) => [path, reason]));
    expect(reasons.get('ro.txt')).toBe('It is read-only.');
    expect(reasons.get('full.txt')).toBe('No space left on device');
    expect(reasons.get('down.txt')).toBe('status 500');
  });

  it('waits no longer than there is time', async () => {
    jest.useFakeTimers();
    const { all } = documents({
      'hangs.txt': { save: () => new Promise(() => undefined) },
      'good.txt': {}
    });
    const saving = all.saveAll(5000);
    await tick(5000);
    expect(await saving).toEqual({
      open: ['hangs.txt', 'good.txt'],
      documents: ['good.txt'],
      failed: [{ path: 'hangs.txt', reason: 'It was not saved in time.' }]
    });
    jest.useRealTimers();
  });
});

describe('Saver', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    Notification.dismiss();
    jest.useRealTimers();
  });

  async function begin(saved: ISaved) {
    const parts = setUp();
    const { model, source } = parts;
    const input = new PersonInput(() => true);
    const reporter = new PageReporter(source, input, model);
    const desktop = new DesktopNotices('test', () => true);
    const actions = new IdleActions(model, desktop, trans);
    const saveAll = jest.fn(() => Promise.resolve(saved));
    const saver = new Saver({ model, actions, reporter, saveAll, trans });
    await model.refresh();
    const end = (): void => {
      reporter.dispose();
      input.dispose();
      model.dispose();
    };
    const answers = (): ISaved[] =>
      source.report.mock.calls
        .map(([report]) => report.saved)
        .filter((one): one is ISaved => one !== undefined);
    return { ...parts, answers, end, saveAll, saver };
  }

  const messages = (): string[] =>
    Notification.manager.notifications.map(({ message }) => message);

  it('saves once for each saving, within its time, and answers', async () => {
    const saved = { documents: ['work/a.ipynb'], failed: [] };
    const { answers, end, saveAll, saver, tell } = await begin(saved);
    expect(saveAll).not.toHaveBeenCalled();
    const saving = answer({ phase: 'saving', save_by: at(20) });
    await tell(saving);
    await tell(saving);
    await tick(0);
    expect(saveAll.mock.calls).toEqual([[18500]]);
    expect(answers()).toEqual([saved]);
    expect(messages()).toEqual([
      'This server is being stopped. Saved: a.ipynb.'
    ]);
    await tell(answer({ phase: 'stopping' }));
    expect(saver.saved).toEqual(saved);
    end();
  });

  it('tells what is not saved, above all', async () => {
    const failed = [
      { path: 'a.ipynb', reason: 'It is read-only.' },
      { path: 'b.ipynb', reason: 'It is read-only.' }
    ];
    const { end, tell } = await begin({ documents: ['c.py'], failed });
    await tell(answer({ phase: 'saving', save_by: at(20) }));
    await tick(0);
    expect(messages()).toEqual([
      'a.ipynb is not saved: It is read-only. And 1 more.'
    ]);
    expect(Notification.manager.notifications[0].type).toBe('error');
    end();
  });

  it('takes back its word when the stop is called off, and saves for the next', async () => {
    const { end, saveAll, tell } = await begin({ documents: [], failed: [] });
    await tell(answer({ phase: 'saving', save_by: at(20) }));
    await tick(0);
    await tell(answer());
    expect(messages()).toEqual([]);
    await tell(answer({ phase: 'saving', save_by: at(20) }));
    await tick(0);
    expect(saveAll).toHaveBeenCalledTimes(2);
    end();
  });

  it('can be answered by who is here after all', async () => {
    const { end, source, tell, told } = await begin({
      documents: [],
      failed: []
    });
    await tell(answer({ phase: 'saving', save_by: at(20) }));
    await tick(0);
    const [{ options }] = Notification.manager.notifications;
    told.answer = answer();
    options.actions?.[0].callback(new MouseEvent('click'));
    await tick(0);
    expect(source.keepAlive).toHaveBeenCalledTimes(1);
    expect(messages()).not.toContain(say(null, trans));
    end();
  });

  it('goes on where the server does not take its answer', async () => {
    const saved = { documents: ['a.ipynb'], failed: [] };
    const { end, saver, source, tell } = await begin(saved);
    const warn = jest.spyOn(console, 'warn').mockImplementation();
    source.report.mockRejectedValueOnce(unreachable());
    await tell(answer({ phase: 'saving', save_by: at(20) }));
    await tick(0);
    expect(saver.saved).toEqual(saved);
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
    end();
  });
});
