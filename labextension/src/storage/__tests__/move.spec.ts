import { Notification } from '@jupyterlab/apputils';
import { Contents, ServerConnection } from '@jupyterlab/services';
import { nullTranslator } from '@jupyterlab/translation';

import { IVolume } from '../api';
import { Places } from '../model';
import { Mover } from '../move';
import { place, volume } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

class Refused extends Error {
  constructor(status: number, message = `HTTP ${status}`) {
    super(message);
    this.response = { status };
  }

  readonly response: { status: number };
}

/**
 * A small file system behind the contents API; folders end with a slash.
 */
function setUp(files: string[], volumes: IVolume[] = []) {
  const there = new Set(files);
  const calls: string[] = [];
  const failing: { rename: Error | null; leaves: boolean } = {
    rename: null,
    leaves: false
  };
  const contents = {
    get: async (path: string) => {
      if (there.has(`${path}/`)) {
        return { path, type: 'directory' };
      }
      if (!there.has(path)) {
        throw new Refused(404);
      }
      return { path, type: 'file' };
    },
    save: async (path: string) => {
      calls.push(`mkdir ${path}`);
      there.add(`${path}/`);
    },
    rename: async (from: string, to: string) => {
      if (failing.rename) {
        if (failing.leaves) {
          there.add(to);
        }
        throw failing.rename;
      }
      if (there.has(to) || there.has(`${to}/`)) {
        throw new Refused(409);
      }
      const end = there.delete(`${from}/`) ? '/' : '';
      there.delete(from);
      there.add(to + end);
      calls.push(`${from} -> ${to}`);
    }
  };
  const documents = {
    settle: jest.fn(async () => ''),
    follows: jest.fn(() => true),
    tellKernels: jest.fn(async () => undefined)
  };
  const mover = new Mover({
    contents: contents as unknown as Contents.IManager,
    places: new Places(async path =>
      path.startsWith('private') ? place({ persistence: 'lasts' }) : place()
    ),
    storage: async () => ({ volumes }),
    documents,
    trans
  });
  return { calls, documents, failing, mover, there };
}

const shown = (): string[] =>
  Notification.manager.notifications.map(({ message }) => message);

async function undo(): Promise<void> {
  const [notification] = Notification.manager.notifications;
  Notification.dismiss(notification.id);
  notification.options.actions?.[0].callback(new MouseEvent('click'));
  for (let turn = 0; turn < 30; turn++) {
    await Promise.resolve();
  }
}

describe('Mover', () => {
  afterEach(() => {
    Notification.dismiss();
  });

  it('keeps the path, makes its folders, and comes back', async () => {
    const { calls, documents, mover } = setUp([
      'private/',
      'a/',
      'a/fit.ipynb'
    ]);
    await mover.move(['a/fit.ipynb']);
    expect(calls).toEqual([
      'mkdir private/a',
      'a/fit.ipynb -> private/a/fit.ipynb'
    ]);
    expect(documents.settle).toHaveBeenCalledWith('a/fit.ipynb');
    expect(documents.tellKernels).toHaveBeenCalledWith(
      'a/fit.ipynb',
      'private/a/fit.ipynb'
    );
    expect(shown()).toEqual(['Moved to private/a/fit.ipynb']);
    await undo();
    expect(calls[2]).toBe('private/a/fit.ipynb -> a/fit.ipynb');
    expect(shown()).toEqual(['Moved back to a/fit.ipynb']);
  });

  it('overwrites nothing, there or on the way back', async () => {
    const { calls, mover, there } = setUp([
      'private/',
      'private/fit.ipynb',
      'private/fit-1.ipynb',
      'fit.ipynb'
    ]);
    await mover.move(['fit.ipynb']);
    expect(calls).toEqual(['fit.ipynb -> private/fit-2.ipynb']);
    there.add('fit.ipynb');
    await undo();
    expect(calls[1]).toBe('private/fit-2.ipynb -> fit-1.ipynb');
  });

  it('does not move what could not be saved', async () => {
    const { calls, documents, mover } = setUp(['private/', 'fit.ipynb']);
    documents.settle.mockResolvedValue('It has changed on disk.');
    await mover.move(['fit.ipynb']);
    expect(calls).toEqual([]);
    expect(shown()).toEqual([
      'fit.ipynb was not moved. It has changed on disk.'
    ]);
  });

  it('moves no folder in which a volume is mounted', async () => {
    const { calls, mover } = setUp(
      ['private/', 'shared/'],
      [volume({ name: 'shared/cms', root_path: 'shared/cms' })]
    );
    await mover.move(['shared']);
    expect(calls).toEqual([]);
    expect(shown()[0]).toContain(
      'Another volume is mounted in it (shared/cms)'
    );
  });

  it('moves other folders whole, and none into itself', async () => {
    const { calls, mover } = setUp(['private/', 'data/'], [volume()]);
    await mover.move(['data', 'private']);
    expect(calls).toEqual(['data -> private/data']);
    expect(shown()).toHaveLength(2);
  });

  it('leaves what lasts where it is, and goes on with the others', async () => {
    const { calls, mover } = setUp(['private/', 'private/a.txt', 'b.txt']);
    await mover.move(['private/a.txt', 'gone.txt', 'b.txt']);
    expect(calls).toEqual(['b.txt -> private/b.txt']);
    expect(shown()).toEqual(
      expect.arrayContaining([
        expect.stringContaining('lies in a folder that lasts already'),
        'gone.txt was not moved. It is not there any more.'
      ])
    );
  });

  it('does not say where it is when nobody answered', async () => {
    const { failing, mover } = setUp(['private/', 'fit.ipynb']);
    failing.rename = new ServerConnection.NetworkError(
      new TypeError('Failed to fetch')
    );
    await mover.move(['fit.ipynb']);
    expect(shown()[0]).toContain('Look whether it was moved');
  });

  it('tells what the server says', async () => {
    const { failing, mover } = setUp(['private/', 'fit.ipynb']);
    failing.rename = new Refused(500, 'Disk quota exceeded');
    await mover.move(['fit.ipynb']);
    expect(shown()).toEqual(['fit.ipynb was not moved. Disk quota exceeded']);
  });

  it('tells where something half may be left', async () => {
    const { failing, mover } = setUp(['private/', 'fit.ipynb']);
    failing.rename = new Refused(500, 'No space left.');
    failing.leaves = true;
    await mover.move(['fit.ipynb']);
    expect(shown()).toEqual([
      'fit.ipynb was not moved. No space left. Some of it may be in private/fit.ipynb now: look at both before you delete one.'
    ]);
  });
});
