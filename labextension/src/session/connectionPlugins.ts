import {
  IConnectionLost,
  JupyterFrontEnd,
  JupyterFrontEndPlugin,
  JupyterLab
} from '@jupyterlab/application';
import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { Connection } from './connection';
import { ILook } from './judge';
import { IConnection } from './tokens';

/** Milliseconds for which an answer is waited for. */
const PATIENCE = 5000;

/**
 * Whether the page has its server.
 */
export const connection: JupyterFrontEndPlugin<Connection> = {
  id: 'jupyter-mlinfn:connection',
  description: 'Knows whether this page has its server.',
  autoStart: true,
  provides: IConnection,
  optional: [JupyterLab.IInfo],
  activate: (app: JupyterFrontEnd, info: JupyterLab.IInfo | null) => {
    const settings = app.serviceManager.serverSettings;
    const connection = new Connection({
      look: () => look(settings),
      around: () => ({
        online: navigator.onLine,
        hub: PageConfig.getOption('hubPrefix') !== '',
        local: isLocal(settings.baseUrl)
      })
    });
    connection.changed.connect(() => {
      if (info) {
        // JupyterLab neither polls nor saves by itself then.
        info.isConnected = connection.contact === 'fine';
      }
    });
    return connection;
  }
};

/**
 * In place of JupyterLab's dialogs, for its own of these names is switched off
 * in package.json: they tell neither why nor what to do, and come again and again.
 */
export const connectionLost: JupyterFrontEndPlugin<IConnectionLost> = {
  id: 'jupyter-mlinfn:connection-lost',
  description: 'Looks after a connection that is lost, in place of a dialog.',
  autoStart: true,
  provides: IConnectionLost,
  requires: [IConnection],
  activate:
    (_: JupyterFrontEnd, connection: Connection): IConnectionLost =>
    async () => {
      connection.suspect();
    }
};

/**
 * Any Jupyter Server answers this, with the time of its start.
 */
async function look(settings: ServerConnection.ISettings): Promise<ILook> {
  const url = URLExt.join(settings.baseUrl, 'api/status');
  const abort = new AbortController();
  const patience = window.setTimeout(() => abort.abort(), PATIENCE);
  try {
    const answer = await ServerConnection.makeRequest(
      url,
      { signal: abort.signal },
      settings
    );
    const told = answer.ok ? await answer.json() : {};
    return { status: answer.status, started: told.started ?? null };
  } catch {
    return { status: 0, started: null };
  } finally {
    clearTimeout(patience);
  }
}

function isLocal(url: string): boolean {
  const { hostname } = new URL(url, window.location.href);
  return ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}
