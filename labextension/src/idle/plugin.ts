import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import {
  ITranslator,
  nullTranslator,
  TranslationBundle
} from '@jupyterlab/translation';

import { PersonInput } from '../attention';
import { IServerEvents } from '../events';
import { CommandIDs, IdleActions } from './actions';
import { IdleApi, ISaved } from './api';
import { DesktopNotices } from './desktop';
// What other rooms are given has to be there at once.
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { Documents } from './documents';
import { IdleModel } from './model';
import { PageReporter } from './reporter';
import { IdleStatus } from './status';
import { IPageDocuments, IServerEnd } from './tokens';

const PLUGIN = 'jupyter-mlinfn:idle';

const plugin: JupyterFrontEndPlugin<IServerEnd> = {
  id: PLUGIN,
  description: 'Tells before this server is stopped, and saves before it is.',
  autoStart: true,
  provides: IServerEnd,
  requires: [IServerEvents],
  optional: [
    IDocumentManager,
    ICommandPalette,
    ISettingRegistry,
    IStatusBar,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    events: IServerEvents,
    manager: IDocumentManager | null,
    palette: ICommandPalette | null,
    settings: ISettingRegistry | null,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ): IServerEnd => {
    const { commands, serviceManager } = app;
    const trans = (translator ?? nullTranslator).load('jupyter_mlinfn');
    const api = new IdleApi(serviceManager.serverSettings);
    const model = new IdleModel(api);
    const wanted = { desktop: true };
    const desktop = new DesktopNotices(
      `${PLUGIN}:${serviceManager.serverSettings.baseUrl}`,
      () => wanted.desktop
    );
    const actions = new IdleActions(model, desktop, trans);
    const reporter = new PageReporter(api, PersonInput.ofPage(), model);

    const documents: IPageDocuments = manager
      ? new Documents(app.shell, manager, trans)
      : NO_DOCUMENTS;
    const parts: IParts = {
      actions,
      desktop,
      documents,
      model,
      reporter,
      saver: null,
      trans
    };

    events.idleChanged.connect(() => void model.refresh());
    serviceManager.connectionFailure.connect(() => void model.refresh());
    model.changed.connect(() => {
      if (model.error?.isNetwork) {
        events.connectionLost();
      }
    });
    void app.restored.then(async () => {
      const { Answering } = await import('./answering');
      new Answering(model, reporter, () => documents.list());
      await model.refresh();
      await follow(parts);
    });

    commands.addCommand(CommandIDs.keep, {
      label: trans.__('Keep this server…'),
      caption: trans.__('Have this server kept for some time, used or not'),
      execute: async () => actions.tell(await actions.keep()),
      describedBy: { args: { type: 'object', properties: {} } }
    });
    commands.addCommand(CommandIDs.why, {
      label: trans.__('Why will this server stop?'),
      caption: trans.__('See what counts as use, and what stops this server'),
      execute: async () => actions.tell(await actions.why()),
      describedBy: { args: { type: 'object', properties: {} } }
    });
    const category = trans.__('Platform');
    palette?.addItem({ command: CommandIDs.keep, category });
    palette?.addItem({ command: CommandIDs.why, category });

    if (statusBar) {
      const open = (): void => void commands.execute(CommandIDs.why);
      const item = new IdleStatus(model, open, trans);
      statusBar.registerStatusItem(PLUGIN, {
        item,
        align: 'left',
        rank: 0.4,
        isActive: () => item.isActive,
        activeStateChanged: item.activeChanged
      });
    }
    if (settings) {
      void followSetting(settings, on => {
        wanted.desktop = on;
      });
    }
    return {
      documents,
      model,
      get saved() {
        return parts.saver?.saved ?? null;
      }
    };
  }
};

const NO_DOCUMENTS: IPageDocuments = {
  list: () => ({ open: [], unsaved: [] }),
  saveAll: async () => ({ open: [], documents: [], failed: [] }),
  disregard: () => undefined
};

interface IParts {
  actions: IdleActions;
  desktop: DesktopNotices;
  documents: IPageDocuments;
  model: IdleModel;
  reporter: PageReporter;
  /** null before anything stops this server. */
  saver: { readonly saved: ISaved | null } | null;
  trans: TranslationBundle;
}

/**
 * Load what shows something, where anything stops this server at all: once that
 * is gone nothing can be loaded from it any more.
 */
async function follow(parts: IParts): Promise<void> {
  const { documents, model } = parts;
  const isNeeded = (): boolean =>
    (model.answer?.next ?? null) !== null ||
    model.warning !== null ||
    model.isEnding;
  if (!isNeeded()) {
    await new Promise<void>(resolve => {
      const look = (): void => {
        if (isNeeded()) {
          model.changed.disconnect(look);
          resolve();
        }
      };
      model.changed.connect(look);
    });
  }
  const [{ Warnings }, { Saver }] = await Promise.all([
    import('./warning'),
    import('./saving'),
    import('./lastWarning'),
    import('./keep'),
    import('./stopDialog'),
    import('./why')
  ]);
  new Warnings(parts);
  parts.saver = new Saver({
    ...parts,
    saveAll: timeout => documents.saveAll(timeout)
  });
}

/**
 * Follow the user's setting; switching it on is a click, when a browser may ask.
 */
async function followSetting(
  registry: ISettingRegistry,
  set: (on: boolean) => void
): Promise<void> {
  try {
    const settings = await registry.load(PLUGIN);
    const read = (): boolean =>
      settings.get('desktopNotifications').composite === true;
    let was = read();
    set(was);
    settings.changed.connect(() => {
      const on = read();
      set(on);
      if (
        on &&
        !was &&
        'Notification' in window &&
        Notification.permission === 'default'
      ) {
        void Notification.requestPermission();
      }
      was = on;
    });
  } catch (reason) {
    console.warn('The settings of the warnings could not be read.', reason);
  }
}

export default plugin;
