import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import envs from './envs/plugin';
import { IServerEvents, ServerEvents } from './events';
import gpu from './gpu/plugin';
import idle from './idle/plugin';
import { JobsApi } from './jobs/api';
import jobs from './jobs/plugin';
import { connection, connectionLost } from './session/connectionPlugins';
import session from './session/plugin';
import storage from './storage/plugin';

const events: JupyterFrontEndPlugin<IServerEvents> = {
  id: 'jupyter-mlinfn:events',
  description: 'Says when something has changed on the server.',
  autoStart: true,
  provides: IServerEvents,
  activate: (app: JupyterFrontEnd) => {
    const { serviceManager } = app;
    const api = new JobsApi(serviceManager.serverSettings);
    return new ServerEvents(serviceManager, () => api.list());
  }
};

export default [
  events,
  jobs,
  envs,
  gpu,
  idle,
  connection,
  connectionLost,
  session,
  storage
];
