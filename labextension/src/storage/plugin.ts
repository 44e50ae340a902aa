import {
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  ICommandPalette,
  MainAreaWidget,
  WidgetTracker
} from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import {
  type FileBrowser,
  IDefaultFileBrowser,
  IFileBrowserFactory
} from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import {
  ITranslator,
  nullTranslator,
  TranslationBundle
} from '@jupyterlab/translation';

import { IServerEvents } from '../events';
import { storageIcon } from '../icons';
import { IJobs } from '../jobs/tokens';
import { CommandIDs, StorageActions } from './actions';
import { StorageApi } from './api';
import { Places } from './model';
import type { StoragePanel } from './panel';
import type { StorageModel } from './panelModel';
import { rescuePresenter } from './presenters';
import { addToBrowser, IRoom } from './watch';

const PLUGIN = 'jupyter-mlinfn:storage';

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: 'Tells what lasts after this server, and keeps what does not.',
  autoStart: true,
  requires: [IServerEvents, IJobs],
  optional: [
    IDefaultFileBrowser,
    IFileBrowserFactory,
    IDocumentManager,
    ISettingRegistry,
    ILauncher,
    ICommandPalette,
    ILayoutRestorer,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    events: IServerEvents,
    jobs: IJobs,
    browser: FileBrowser | null,
    browsers: IFileBrowserFactory | null,
    documents: IDocumentManager | null,
    settings: ISettingRegistry | null,
    launcher: ILauncher | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlinfn');
    const api = new StorageApi(app.serviceManager.serverSettings);
    const actions = new StorageActions(app);
    const places = new Places(path => api.place(path));
    const panels = new WidgetTracker<MainAreaWidget<StoragePanel>>({
      namespace: 'jupyter-mlinfn-storage'
    });
    events.storageChanged.connect(() => places.forget());

    addPanel({ app, events, jobs, api, actions, panels, restorer, trans });
    launcher?.add({
      command: CommandIDs.open,
      category: trans.__('Platform'),
      rank: 3,
      categoryRank: 30
    });
    palette?.addItem({
      command: CommandIDs.open,
      category: trans.__('Platform'),
      args: { isPalette: true }
    });
    if (browser && documents) {
      const room: IRoom = {
        app,
        actions,
        api,
        browser,
        browsers,
        documents,
        events,
        places,
        setting: new Wanted(settings),
        trans
      };
      addToBrowser(room);
    }
  }
};

/**
 * The panel and the command that shows it.
 */
function addPanel(parts: {
  app: JupyterFrontEnd;
  events: IServerEvents;
  jobs: IJobs;
  api: StorageApi;
  actions: StorageActions;
  panels: WidgetTracker<MainAreaWidget<StoragePanel>>;
  restorer: ILayoutRestorer | null;
  trans: TranslationBundle;
}): void {
  const { app, events, jobs, api, actions, panels, restorer, trans } = parts;
  let model: StorageModel | null = null;
  events.storageChanged.connect(() => void model?.refresh());

  app.commands.addCommand(CommandIDs.open, {
    label: trans.__('Storage'),
    caption: trans.__(
      'See which folders last, how full they are, and keep what would be lost'
    ),
    icon: args => (args.isPalette ? undefined : storageIcon),
    execute: async () => {
      const [{ StoragePanel }, { StorageModel }] = await Promise.all([
        import('./panel'),
        import('./panelModel')
      ]);
      let widget = panels.currentWidget;
      if (!widget || widget.isDisposed) {
        if (model === null) {
          model = new StorageModel(api);
          model.changed.connect(({ error }) => {
            if (error?.isNetwork) {
              events.connectionLost();
            }
          });
        }
        const content = new StoragePanel({ model, api, jobs, actions, trans });
        widget = new MainAreaWidget({ content });
        widget.id = 'jupyter-mlinfn-storage';
        app.shell.add(widget, 'main');
        void panels.add(widget);
      }
      app.shell.activateById(widget.id);
      return widget;
    },
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
  const isShown = (): boolean =>
    panels.find(panel => panel.isVisible) !== undefined;
  jobs.addPresenter('rescue', rescuePresenter(actions, isShown, trans));
  if (restorer) {
    void restorer.restore(panels, {
      command: CommandIDs.open,
      name: () => 'storage'
    });
  }
}

/**
 * The user's setting: whether something is said of documents that do not last.
 */
class Wanted {
  constructor(registry: ISettingRegistry | null) {
    this._registry = registry;
    registry?.load(PLUGIN).then(
      settings => {
        const read = (): void => {
          this._isOn = settings.get(Wanted.KEY).composite !== false;
        };
        read();
        settings.changed.connect(read);
      },
      reason => {
        console.warn('The settings of storage could not be read.', reason);
      }
    );
  }

  get isOn(): boolean {
    return this._isOn;
  }

  /**
   * For this page at once, and for all to come where it can be written.
   */
  async switchOff(): Promise<void> {
    this._isOn = false;
    await this._registry?.set(PLUGIN, Wanted.KEY, false);
  }

  static readonly KEY = 'tellNotLasting';
  private _registry: ISettingRegistry | null;
  private _isOn = true;
}

export default plugin;
