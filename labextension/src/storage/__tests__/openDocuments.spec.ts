import { JupyterFrontEnd } from '@jupyterlab/application';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { nullTranslator } from '@jupyterlab/translation';

import { OpenDocuments } from '../openDocuments';

const trans = nullTranslator.load('jupyter_mlinfn');

function context(
  path: string,
  change: { dirty?: boolean; hash?: string } = {}
) {
  return {
    path,
    ready: Promise.resolve(),
    sessionContext: { ready: Promise.resolve() },
    model: { dirty: change.dirty ?? false, collaborative: false },
    contentsModel: { writable: true, hash: change.hash ?? 'h' },
    save: jest.fn(async () => undefined)
  };
}

function setUp(contexts: ReturnType<typeof context>[], sessions: any[] = []) {
  const told: string[][] = [];
  const app = {
    shell: {
      widgets: (area: string) => {
        if (area !== 'main') {
          throw new Error('no such area');
        }
        return contexts;
      }
    },
    serviceManager: {
      sessions: {
        refreshRunning: async () => undefined,
        running: () => sessions,
        connectTo: ({ model }: any) => ({
          setPath: async (path: string) => void told.push([model.path, path]),
          dispose: () => undefined
        })
      }
    }
  };
  const manager = {
    contextForWidget: (widget: unknown) => widget,
    services: { contents: { get: async () => ({ hash: 'h' }) } }
  };
  const documents = new OpenDocuments(
    app as unknown as JupyterFrontEnd,
    manager as unknown as IDocumentManager,
    trans
  );
  return { documents, told };
}

describe('OpenDocuments', () => {
  it('saves what has changes at or below a path, and nothing else', async () => {
    const changed = context('a/one.txt', { dirty: true });
    const same = context('a/two.txt');
    const other = context('ab/three.txt', { dirty: true });
    const { documents } = setUp([changed, same, other]);
    expect(await documents.settle('a')).toBe('');
    expect(changed.save).toHaveBeenCalledTimes(1);
    expect(same.save).not.toHaveBeenCalled();
    expect(other.save).not.toHaveBeenCalled();
    expect(documents.isOpen('a/two.txt')).toBe(true);
    expect(documents.isOpen('a')).toBe(false);
  });

  it('does not hide that somebody else has changed it', async () => {
    const changed = context('one.txt', { dirty: true, hash: 'before' });
    const { documents } = setUp([changed]);
    expect(await documents.settle('one.txt')).toContain(
      'one.txt has changed on disk since it was opened here.'
    );
    expect(changed.save).not.toHaveBeenCalled();
  });

  it('knows where JupyterLab would lose what is open below a folder', () => {
    const { documents } = setUp([context('run (1)/fit.ipynb')]);
    expect(documents.follows('run (1)', 'private/run (1)')).toBe(false);
    expect(documents.follows('c++', 'private/c++')).toBe(true);
    expect(documents.follows('run', 'private/run')).toBe(true);
    const file = setUp([context('fit (1).ipynb')]).documents;
    expect(file.follows('fit (1).ipynb', 'private/fit (1).ipynb')).toBe(true);
  });

  it('tells kernels whose documents are not open', async () => {
    const { documents, told } = setUp(
      [],
      [{ path: 'a/fit.ipynb' }, { path: 'ab/fit.ipynb' }]
    );
    await documents.tellKernels('a', 'private/a');
    expect(told).toEqual([['a/fit.ipynb', 'private/a/fit.ipynb']]);
  });
});
