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
import { ILauncher } from '@jupyterlab/launcher';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { UUID } from '@lumino/coreutils';

import { IServerEvents } from '../events';
import { environmentIcon, newEnvironmentIcon } from '../icons';
import { IJob, isActive } from '../jobs/api';
import { IJobs } from '../jobs/tokens';
import { CommandIDs, EnvironmentActions } from './actions';
import { EnvsApi } from './api';
import { IDraft } from './formModel';
import { EnvsModel } from './model';
import type { NewEnvironment } from './newEnvironment';
import type { EnvironmentsPanel } from './panel';
import {
  captionOf,
  changePresenter,
  checkPresenter,
  creationPresenter,
  IJobPlace,
  prunePresenter,
  removalPresenter
} from './presenters';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlinfn:envs',
  description: 'Makes environments, lists and removes them.',
  autoStart: true,
  requires: [IServerEvents, IJobs],
  optional: [ILauncher, ICommandPalette, ILayoutRestorer, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    events: IServerEvents,
    jobs: IJobs,
    launcher: ILauncher | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    translator: ITranslator | null
  ) => {
    const { commands, serviceManager, shell } = app;
    const trans = (translator ?? nullTranslator).load('jupyter_mlinfn');
    const api = new EnvsApi(serviceManager.serverSettings);
    const envs = new EnvsModel(() => api.list());
    const actions = new EnvironmentActions(app);
    const forms = new WidgetTracker<MainAreaWidget<NewEnvironment>>({
      namespace: 'jupyter-mlinfn-new-environment'
    });
    const panels = new WidgetTracker<MainAreaWidget<EnvironmentsPanel>>({
      namespace: 'jupyter-mlinfn-environments'
    });

    const keys = new WeakMap<MainAreaWidget<NewEnvironment>, string>();

    follow(events, jobs, envs, actions);
    envs.changed.connect(() =>
      commands.notifyCommandChanged(CommandIDs.manage)
    );
    const running = serviceManager.sessions.runningChanged;
    running.connect(() => {
      if (panels.find(panel => panel.isVisible)) {
        void envs.refresh();
      }
    });

    commands.addCommand(CommandIDs.create, {
      label: args =>
        args.isMenu ? trans.__('Environment…') : trans.__('New environment'),
      caption: trans.__(
        'Make an environment with packages of your own, and its kernel'
      ),
      icon: args => (args.isPalette ? undefined : newEnvironmentIcon),
      execute: async args => {
        const jobId = (args.job as string | undefined) ?? null;
        const shown = jobId && forms.find(form => form.content.jobId === jobId);
        if (shown) {
          if (args.change) {
            shown.content.change();
          } else if (args.log) {
            shown.content.showJob(jobId, true);
          }
          shell.activateById(shown.id);
          return;
        }
        const { NewEnvironment } = await import('./newEnvironment');
        const content = new NewEnvironment({
          jobs,
          envs,
          api,
          trans,
          draft: args.draft as Partial<IDraft> | undefined,
          job: jobId,
          showLog: args.log === true,
          change: args.change === true
        });
        const widget = new MainAreaWidget({ content });
        // The layout finds it again by its id: a restored one keeps it.
        const key = typeof args.key === 'string' ? args.key : UUID.uuid4();
        widget.id = `jupyter-mlinfn-new-environment-${key}`;
        keys.set(widget, key);
        content.stateChanged.connect(() => void forms.save(widget));
        shell.add(widget, 'main');
        void forms.add(widget);
        return widget;
      },
      describedBy: {
        args: {
          type: 'object',
          properties: {
            draft: {
              type: 'object',
              description: 'What is entered at first'
            },
            job: {
              type: 'string',
              description: 'The job whose progress is shown'
            },
            change: {
              type: 'boolean',
              description:
                'Whether to show the form with what the job was started with'
            },
            key: {
              type: 'string',
              description: 'Tells restored forms from each other'
            },
            log: { type: 'boolean', description: 'Whether its log is open' },
            cwd: { type: 'string', description: 'Given by the launcher' },
            isMenu: { type: 'boolean' },
            isPalette: { type: 'boolean' }
          }
        }
      }
    });

    commands.addCommand(CommandIDs.manage, {
      label: trans.__('Environments'),
      // The launcher shows it as the card's tooltip.
      caption: captionOf(envs, trans),
      icon: args => (args.isPalette ? undefined : environmentIcon),
      execute: async args => {
        const { EnvironmentsPanel } = await import('./panel');
        let widget = panels.currentWidget;
        if (!widget || widget.isDisposed) {
          const content = new EnvironmentsPanel({
            jobs,
            envs,
            api,
            actions,
            trans
          });
          widget = new MainAreaWidget({ content });
          widget.id = 'jupyter-mlinfn-environments';
          const added = widget;
          content.stateChanged.connect(() => void panels.save(added));
          shell.add(widget, 'main');
          void panels.add(widget);
        }
        if (typeof args.id === 'string') {
          widget.content.choose({ env: args.id });
        } else if (typeof args.job === 'string') {
          widget.content.choose({ job: args.job });
        } else if (args.space === true) {
          widget.content.choose({ space: true });
        }
        shell.activateById(widget.id);
        void envs.refresh();
        return widget;
      },
      describedBy: {
        args: {
          type: 'object',
          properties: {
            id: { type: 'string', description: 'The environment to show' },
            job: { type: 'string', description: 'The job to show' },
            space: {
              type: 'boolean',
              description: 'Whether to show what takes the space'
            },
            cwd: { type: 'string', description: 'Given by the launcher' },
            isPalette: { type: 'boolean' }
          }
        }
      }
    });

    commands.addCommand(CommandIDs.space, {
      label: trans.__('Space of environments'),
      caption: trans.__('See what takes the space, and clean up'),
      execute: () => commands.execute(CommandIDs.manage, { space: true }),
      describedBy: { args: { type: 'object', properties: {} } }
    });

    const inForm: IJobPlace = {
      open: (job, options) =>
        void commands.execute(CommandIDs.create, {
          job: job.id,
          log: options?.log ?? false
        }),
      isShown: job =>
        forms.find(form => form.isVisible && form.content.jobId === job.id) !==
          undefined || inPanel.isShown(job)
    };
    const inPanel: IJobPlace = {
      open: job => void commands.execute(CommandIDs.manage, { job: job.id }),
      isShown: job =>
        panels.find(
          panel => panel.isVisible && panel.content.chosenJob === job.id
        ) !== undefined
    };
    jobs.addPresenter(
      'envs.create',
      creationPresenter(envs, actions, inForm, trans)
    );
    jobs.addPresenter(
      'envs.change',
      changePresenter(envs, actions, inPanel, trans)
    );
    jobs.addPresenter('envs.prune', prunePresenter(inPanel, trans));
    const inDetails: IJobPlace = {
      open: job => void actions.showDetails(String(job.subject.env_id ?? '')),
      isShown: job =>
        inPanel.isShown(job) ||
        panels.find(
          panel =>
            panel.isVisible && panel.content.chosenId === job.subject.env_id
        ) !== undefined
    };
    jobs.addPresenter(
      'envs.gpu_check',
      checkPresenter(actions, inDetails, trans)
    );
    jobs.addPresenter('envs.remove', removalPresenter(inPanel, trans));

    if (restorer) {
      void restorer.restore(forms, {
        command: CommandIDs.create,
        args: widget => {
          const { draft, job } = widget.content.state;
          const key = keys.get(widget) ?? null;
          return { key, draft: { ...draft }, ...(job === null ? {} : { job }) };
        },
        name: ({ id }) => id
      });
      void restorer.restore(panels, {
        command: CommandIDs.manage,
        args: ({ content }) =>
          content.chosenId === null ? {} : { id: content.chosenId },
        name: () => 'environments'
      });
    }
    const category = trans.__('Platform');
    palette?.addItem({ command: CommandIDs.space, category });
    for (const [rank, command] of [
      CommandIDs.create,
      CommandIDs.manage
    ].entries()) {
      launcher?.add({ command, category, rank, categoryRank: 30 });
      palette?.addItem({ command, category, args: { isPalette: true } });
    }
  }
};

/**
 * Read again what may have changed, and let JupyterLab do so with the kernels.
 */
function follow(
  events: IServerEvents,
  jobs: IJobs,
  envs: EnvsModel,
  actions: EnvironmentActions
): void {
  const readAll = (): void => {
    void envs.refresh();
    void actions.refreshKernels();
  };
  const isOurs = (job: IJob): boolean => job.kind.startsWith('envs.');
  events.envsChanged.connect(readAll);
  jobs.model.transitioned.connect((_, { job, from }) => {
    if (from !== null && isOurs(job) && !isActive(job)) {
      readAll();
    }
  });
  envs.changed.connect(() => {
    if (envs.error?.isNetwork) {
      events.connectionLost();
    }
  });
  void envs.refresh();
}

export default plugin;
