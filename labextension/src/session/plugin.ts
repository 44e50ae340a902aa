import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { IStatusBar } from '@jupyterlab/statusbar';
import {
  ITranslator,
  nullTranslator,
  TranslationBundle
} from '@jupyterlab/translation';

import { IServerEvents } from '../events';
import { leafIcon } from '../icons';
import { IServerEnd } from '../idle/tokens';
import { IJobs } from '../jobs/tokens';
import { SessionActions } from './actions';
import { SessionApi } from './api';
import { Connection } from './connection';
import { SessionModel } from './model';
// The status bar shows it.
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { Parting } from './parting';
import { SessionStatus } from './status';
import { IConnection } from './tokens';
import type { WelcomeCard } from './welcome';
import { WelcomeModel } from './welcomeModel';

export namespace CommandIDs {
  export const free = 'jupyter-mlinfn:free-resources';
  export const welcome = 'jupyter-mlinfn:welcome-back';
}

const PLUGIN = 'jupyter-mlinfn:session';
const NO_ARGS = { args: { type: 'object' as const, properties: {} } };

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: 'Gives resources back, loses nothing, and tells on return.',
  autoStart: true,
  requires: [IConnection, IServerEnd, IServerEvents, IJobs],
  optional: [ICommandPalette, IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    connection: Connection,
    end: IServerEnd,
    events: IServerEvents,
    jobs: IJobs,
    palette: ICommandPalette | null,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    const { commands, serviceManager } = app;
    const trans = (translator ?? nullTranslator).load('jupyter_mlinfn');
    const api = new SessionApi(serviceManager.serverSettings);
    const model = new SessionModel(api);
    const welcome = new WelcomeModel(api);
    const parting = new Parting({ connection, end, jobs, model, trans });
    const actions = new SessionActions({
      commands,
      documents: end.documents,
      model,
      parting,
      trans
    });

    connection.isEnding = () =>
      end.model.isEnding || end.model.end !== null || model.isStopping;
    const onError = (): void => {
      const failed = end.model.end !== null || end.model.error?.isNetwork;
      if (failed || model.error?.isNetwork) {
        connection.suspect();
      }
    };
    end.model.changed.connect(onError);
    model.changed.connect(onError);
    let wasThere = true;
    connection.changed.connect(() => {
      const isThere = connection.contact === 'fine';
      if (isThere && !wasThere) {
        // All rooms read again, as soon as their requests are answered.
        events.connectionLost();
      }
      wasThere = isThere;
    });
    events.sessionChanged.connect(() => {
      void model.refresh();
      void welcome.readIfShown();
    });

    let card: WelcomeCard | null = null;
    // All of it is loaded now: from a server that is gone nothing can be.
    void app.restored.then(async () => {
      const { Interruption } = await import('./interruption');
      new Interruption(connection, trans);
      await Promise.all([
        connection.meet(),
        model.refresh(),
        parting.load(),
        actions.load(),
        welcome.read().then(async () => {
          card = await showWelcome(app, welcome, trans);
          commands.notifyCommandChanged(CommandIDs.welcome);
        })
      ]);
    });

    commands.addCommand(CommandIDs.free, {
      label: trans.__('Free Resources…'),
      caption: trans.__(
        'See what this server holds and what would be lost, and give it back'
      ),
      icon: args => (args.isPalette ? undefined : leafIcon),
      isEnabled: () => !parting.isGone,
      execute: () => actions.free(),
      describedBy: {
        args: { type: 'object', properties: { isPalette: { type: 'boolean' } } }
      }
    });
    commands.addCommand(CommandIDs.welcome, {
      label: trans.__('Go to the card “Welcome back”'),
      isVisible: () => welcome.stopped !== null,
      isEnabled: () => welcome.stopped !== null,
      execute: () => card?.focus(),
      describedBy: NO_ARGS
    });
    welcome.changed.connect(() =>
      commands.notifyCommandChanged(CommandIDs.welcome)
    );
    parting.changed.connect(() =>
      commands.notifyCommandChanged(CommandIDs.free)
    );
    const category = trans.__('Platform');
    palette?.addItem({
      command: CommandIDs.free,
      category,
      args: { isPalette: true }
    });
    palette?.addItem({ command: CommandIDs.welcome, category });

    statusBar?.registerStatusItem(PLUGIN, {
      item: new SessionStatus({
        model,
        parting,
        open: () => void commands.execute(CommandIDs.free),
        callOff: () => void actions.callOff(),
        trans
      }),
      align: 'left',
      // Right of the GPU's, which it can free.
      rank: 0.6
    });
  }
};

/**
 * The card of the last stop; null where there is none.
 */
async function showWelcome(
  { commands, serviceManager }: JupyterFrontEnd,
  model: WelcomeModel,
  trans: TranslationBundle
): Promise<WelcomeCard | null> {
  if (model.stopped === null) {
    return null;
  }
  const { WelcomeCard } = await import('./welcome');
  const run = async (command: string, args: { path: string }) => {
    try {
      await commands.execute(command, args);
    } catch (thrown) {
      Notification.error(
        trans.__('%1 could not be opened. %2', args.path, String(thrown))
      );
    }
  };
  return new WelcomeCard({
    model,
    openDocument: path => void run('docmanager:open', { path }),
    openFolder: path => void run('filebrowser:open-path', { path }),
    exists: async path => {
      try {
        await serviceManager.contents.get(path, { content: false });
        return true;
      } catch (thrown) {
        const status = (thrown as { response?: Response }).response?.status;
        return status !== 404;
      }
    },
    trans
  });
}

export default plugin;
