import { JupyterFrontEnd } from '@jupyterlab/application';
import { nullTranslator } from '@jupyterlab/translation';

import { job } from '../../jobs/__tests__/fakes';
import { EnvironmentActions } from '../actions';
import { EnvsModel } from '../model';
import { changePresenter } from '../presenters';

const trans = nullTranslator.load('jupyter_mlinfn');
const KERNELS = ['open', 'hidden', 'gone', 'broken'].map(name => ({
  kernel_id: name,
  name: 'python3',
  path: `work/${name}.ipynb`
}));

describe('restartKernels', () => {
  it('restarts through the open document, else alone, whatever becomes of the others', async () => {
    const calls: string[] = [];
    const sessionContext = {
      session: { kernel: { id: 'open' } },
      restartKernel: async () => void calls.push('document of open')
    };
    const app = {
      shell: { widgets: () => [{}, { sessionContext }] },
      serviceManager: {
        kernels: {
          refreshRunning: async () => undefined,
          running: () =>
            ['open', 'hidden', 'broken'].map(id => ({ id, name: 'python3' })),
          connectTo: ({ model }: { model: { id: string } }) => ({
            restart: async () => {
              if (model.id === 'broken') {
                throw new Error('it does not start');
              }
              calls.push(`kernel ${model.id}`);
            },
            dispose: () => calls.push(`closed ${model.id}`)
          })
        }
      }
    };
    const actions = new EnvironmentActions(app as unknown as JupyterFrontEnd);
    const told = await actions.restartKernels(KERNELS);
    const ids = (kernels: { kernel_id: string }[]): string[] =>
      kernels.map(({ kernel_id }) => kernel_id).sort();
    expect(ids(told.restarted)).toEqual(['hidden', 'open']);
    expect(ids(told.gone)).toEqual(['gone']);
    expect(told.failed).toEqual([
      { kernel: KERNELS[3], reason: 'it does not start' }
    ]);
    expect(calls.sort()).toEqual([
      'closed broken',
      'closed hidden',
      'document of open',
      'kernel hidden'
    ]);
  });
});

describe('changePresenter', () => {
  it('offers the restart of what runs until that is done', async () => {
    const envs = { refresh: jest.fn(async () => undefined) };
    const actions = {
      restartKernels: jest
        .fn()
        .mockResolvedValueOnce({
          restarted: [],
          gone: [],
          failed: [{ kernel: KERNELS[0], reason: 'no' }]
        })
        .mockResolvedValueOnce({ restarted: KERNELS, gone: [], failed: [] })
    };
    const presenter = changePresenter(
      envs as unknown as EnvsModel,
      actions as unknown as EnvironmentActions,
      { open: () => undefined, isShown: () => false },
      trans
    );
    const done = job({
      kind: 'envs.change',
      state: 'done',
      result: { env_id: 'e1', revision: 3, kernels: KERNELS.slice(0, 2) }
    });
    const labels = (): string[] =>
      presenter.actions(done).map(({ label }) => label);
    const settled = (): Promise<void> =>
      new Promise(resolve =>
        envs.refresh.mockImplementationOnce(async () => {
          resolve();
          return undefined;
        })
      );

    expect(presenter.done(done)).toBe('myenv: revision 3');
    expect(presenter.note?.(done)).toBe(
      '2 kernels run in it: open.ipynb, hidden.ipynb'
    );
    // One that failed is offered again.
    let refreshed = settled();
    presenter.actions(done)[0].run();
    await refreshed;
    expect(labels()).toEqual(['Restart 2 kernels', 'Details']);
    refreshed = settled();
    presenter.actions(done)[0].run();
    await refreshed;
    expect(labels()).toEqual(['Details']);
    expect(presenter.note?.(done)).toBe('');
  });
});
