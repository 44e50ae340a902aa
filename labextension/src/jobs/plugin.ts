import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { IServerEvents } from '../events';
import { JobsApi } from './api';
import { JobsModel } from './model';
import { Jobs } from './registry';
import { JobsStatus } from './status';
import { IJobs } from './tokens';

const plugin: JupyterFrontEndPlugin<IJobs> = {
  id: 'jupyter-mlinfn:jobs',
  description: 'Follows long work on the server, and tells when it has ended.',
  autoStart: true,
  provides: IJobs,
  requires: [IServerEvents],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    events: IServerEvents,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ): IJobs => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlinfn');
    const api = new JobsApi(app.serviceManager.serverSettings);
    const model = new JobsModel(api);
    const jobs = new Jobs(api, model, trans);

    events.jobsChanged.connect(() => void model.refresh());
    model.changed.connect(() => {
      if (model.error?.isNetwork) {
        events.connectionLost();
      }
    });
    // What was interrupted is offered: those who tell how must be there first.
    void app.restored.then(async () => {
      const { JobNotifications } = await import('./notifications');
      new JobNotifications(jobs, trans);
      await model.refresh();
    });

    if (statusBar) {
      const item = new JobsStatus(jobs, trans);
      statusBar.registerStatusItem('jupyter-mlinfn:jobs', {
        item,
        align: 'left',
        rank: 100,
        isActive: () => item.isActive,
        activeStateChanged: item.activeChanged
      });
    }
    return jobs;
  }
};

export default plugin;
