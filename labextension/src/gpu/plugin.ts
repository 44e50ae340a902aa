import {
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { IStatusBar } from '@jupyterlab/statusbar';
import {
  ITranslator,
  nullTranslator,
  TranslationBundle
} from '@jupyterlab/translation';
import { IDisposable } from '@lumino/disposable';

import { PersonInput } from '../attention';
import { IServerEvents } from '../events';
import { gpuIcon } from '../icons';
import { CommandIDs, GpuActions } from './actions';
import { GpuApi } from './api';
import { Attention } from './attention';
import { GpuModel } from './model';
// The layout is restored with it: it has to be there before.
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { GpuSidebar } from './sidebar';
import { GpuStatus } from './status';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlinfn:gpu',
  description: 'Shows the GPU, how full it is, and what holds its memory.',
  autoStart: true,
  requires: [IServerEvents],
  optional: [
    ILauncher,
    ICommandPalette,
    ILayoutRestorer,
    IStatusBar,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    events: IServerEvents,
    launcher: ILauncher | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    const { commands, serviceManager, shell } = app;
    const trans = (translator ?? nullTranslator).load('jupyter_mlinfn');
    const api = new GpuApi(serviceManager.serverSettings);
    const model = new GpuModel(api, new Attention(PersonInput.ofPage()));
    const parts = once(() => load(app, model, trans));
    const sidebar = new GpuSidebar(
      model,
      async () => {
        const { GpuPanel, actions, release } = await parts();
        return new GpuPanel({ model, actions, release, trans });
      },
      trans
    );

    events.gpuChanged.connect(() => model.refresh());
    model.changed.connect(() => {
      if (model.error?.isNetwork) {
        events.connectionLost();
      }
    });

    commands.addCommand(CommandIDs.show, {
      label: trans.__('GPU'),
      caption: trans.__('See your GPU, and what holds its memory'),
      icon: args => (args.isPalette ? undefined : gpuIcon),
      execute: () => shell.activateById(sidebar.id),
      describedBy: {
        args: {
          type: 'object',
          properties: {
            cwd: { type: 'string', description: 'Given by the launcher' },
            isPalette: { type: 'boolean' }
          }
        }
      }
    });
    commands.addCommand(CommandIDs.free, {
      label: trans.__('Free GPU memory…'),
      caption: trans.__('Shut down kernels that hold GPU memory'),
      isEnabled: () => model.view?.present ?? false,
      execute: async () => {
        // Its list may be as old as the last look.
        await model.readNow();
        const { release } = await parts();
        await release.askForAll();
      },
      describedBy: { args: { type: 'object', properties: {} } }
    });

    shell.add(sidebar, 'right', { rank: 900, type: 'GPU' });
    restorer?.add(sidebar, 'jupyter-mlinfn-gpu');
    const category = trans.__('Platform');
    palette?.addItem({
      command: CommandIDs.show,
      category,
      args: { isPalette: true }
    });
    palette?.addItem({ command: CommandIDs.free, category });
    let card: IDisposable | null = null;
    let wasPresent = false;
    model.changed.connect(() => {
      const isPresent = model.view?.present ?? false;
      if (isPresent === wasPresent) {
        return;
      }
      wasPresent = isPresent;
      commands.notifyCommandChanged(CommandIDs.free);
      card?.dispose();
      card = isPresent
        ? (launcher?.add({
            command: CommandIDs.show,
            category,
            rank: 2,
            categoryRank: 30
          }) ?? null)
        : null;
    });

    if (statusBar) {
      const open = (): void => void commands.execute(CommandIDs.show);
      const item = new GpuStatus(model, open, trans);
      statusBar.registerStatusItem('jupyter-mlinfn:gpu', {
        item,
        align: 'left',
        // Left of what changes its width with the notebook.
        rank: 0.5,
        isActive: () => item.isActive,
        activeStateChanged: item.activeChanged
      });
    }
  }
};

/**
 * What is needed only when somebody looks closer.
 */
async function load(
  app: JupyterFrontEnd,
  model: GpuModel,
  trans: TranslationBundle
) {
  const [{ GpuPanel }, { Release }] = await Promise.all([
    import('./panel'),
    import('./release')
  ]);
  const actions = new GpuActions(app);
  return { GpuPanel, actions, release: new Release(model, actions, trans) };
}

/**
 * Do it at the first call only, unless it failed.
 */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | null = null;
  return () => {
    result ??= work().catch(thrown => {
      result = null;
      throw thrown;
    });
    return result;
  };
}

export default plugin;
