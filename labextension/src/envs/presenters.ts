import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { formatBytes } from '../format';
import { IJob } from '../jobs/api';
import { IJobAction, IJobPresenter } from '../jobs/tokens';
import { EnvironmentActions } from './actions';
import { IEnvironment, IRunningKernel } from './api';
import { IGpuCheck } from './cudaApi';
import { badgeOf } from './cudaWords';
import { EnvsModel } from './model';

/**
 * How a widget is asked for a job.
 */
export interface IJobPlace {
  open(job: IJob, options?: { log?: boolean }): void;
  isShown(job: IJob): boolean;
}

/**
 * The making of an environment, in words, and what can be done after it.
 */
export function creationPresenter(
  envs: EnvsModel,
  actions: EnvironmentActions,
  place: IJobPlace,
  trans: TranslationBundle
): IJobPresenter {
  return {
    ...place,
    doing: job => trans.__('Creating %1', labelOf(job)),
    done: job => trans.__('%1 is ready', labelOf(job)),
    interrupted: job =>
      trans.__(
        'Creating %1 was interrupted when the server stopped.',
        labelOf(job)
      ),
    actions: job => {
      const id = String(job.result?.env_id ?? job.subject.env_id ?? '');
      const inIt = (act: (found: IEnvironment) => Promise<void>): void => {
        void withEnvironment(envs, id).then(found =>
          found ? act(found) : actions.showDetails(id)
        );
      };
      const offered: IJobAction[] = [];
      const kernels = envs.get(id)?.kernels ?? job.result?.kernels;
      if (Array.isArray(kernels) && kernels.length > 0) {
        offered.push({
          label: trans.__('New notebook'),
          run: () => inIt(found => actions.newNotebook(found))
        });
      }
      if (actions.hasTerminals) {
        offered.push({
          label: trans.__('Terminal here'),
          run: () => inIt(found => actions.openTerminal(found))
        });
      }
      offered.push({
        label: trans.__('Details'),
        run: () => void actions.showDetails(id)
      });
      return offered;
    }
  };
}

/**
 * The removal of an environment, in words.
 */
export function removalPresenter(
  place: IJobPlace,
  trans: TranslationBundle
): IJobPresenter {
  return {
    ...place,
    doing: job => trans.__('Removing %1', labelOf(job)),
    done: job => {
      const freed = job.result?.freed_bytes;
      return typeof freed === 'number'
        ? trans.__(
            '%1 is removed; %2 came back',
            labelOf(job),
            formatBytes(freed)
          )
        : trans.__('%1 is removed', labelOf(job));
    },
    interrupted: job =>
      trans.__(
        'Removing %1 was interrupted when the server stopped.',
        labelOf(job)
      ),
    actions: () => []
  };
}

/**
 * A change of an environment, in words, and the restart of what runs in it.
 */
export function changePresenter(
  envs: EnvsModel,
  actions: EnvironmentActions,
  place: IJobPlace,
  trans: TranslationBundle
): IJobPresenter {
  const restarted = new Set<string>();
  return {
    ...place,
    doing: job => job.title,
    done: job => {
      const revision = job.result?.revision;
      return typeof revision === 'number'
        ? trans.__('%1: revision %2', labelOf(job), String(revision))
        : trans.__('%1 is changed', labelOf(job));
    },
    note: job => {
      const kernels = restarted.has(job.id) ? [] : kernelsOf(job);
      return kernels.length === 0
        ? ''
        : trans._n(
            '%1 kernel runs in it: %2',
            '%1 kernels run in it: %2',
            kernels.length,
            kernels.map(nameOfKernel).join(', ')
          );
    },
    interrupted: job =>
      trans.__('%1 was interrupted when the server stopped.', job.title),
    actions: job => {
      const id = String(job.result?.env_id ?? job.subject.env_id ?? '');
      const kernels = restarted.has(job.id) ? [] : kernelsOf(job);
      const offered: IJobAction[] = [];
      if (kernels.length > 0) {
        offered.push({
          label: trans._n(
            'Restart %1 kernel',
            'Restart %1 kernels',
            kernels.length
          ),
          run: () =>
            void restart(kernels, actions, trans).then(isDone => {
              if (isDone) {
                restarted.add(job.id);
              }
              return envs.refresh();
            })
        });
      }
      offered.push({
        label: trans.__('Details'),
        run: () => void actions.showDetails(id)
      });
      return offered;
    }
  };
}

/**
 * The cleaning up, in words.
 */
export function prunePresenter(
  place: IJobPlace,
  trans: TranslationBundle
): IJobPresenter {
  return {
    ...place,
    doing: () => trans.__('Cleaning up'),
    done: job => {
      const freed = job.result?.freed_bytes;
      return typeof freed === 'number'
        ? trans.__('Cleaned up; %1 came back', formatBytes(freed))
        : trans.__('Cleaned up');
    },
    interrupted: () =>
      trans.__('Cleaning up was interrupted when the server stopped.'),
    actions: () => []
  };
}

/**
 * The caption of the environments' command: what there is to see, and what the last checks of the GPU
 * found, an environment a line.
 */
export function captionOf(envs: EnvsModel, trans: TranslationBundle) {
  return (): string => {
    const lines = [trans.__('See your environments and the shared ones')];
    for (const { label, gpu_check: check } of envs.environments ?? []) {
      if (check !== null && check.verdict !== 'nothing') {
        const badge = badgeOf(check, trans);
        lines.push(trans.__('%1: %2', label, badge));
      }
    }
    return lines.join('\n');
  };
}

/**
 * The check of the GPU, in words.
 */
export function checkPresenter(
  actions: EnvironmentActions,
  place: IJobPlace,
  trans: TranslationBundle
): IJobPresenter {
  return {
    ...place,
    doing: job => trans.__('Checking the GPU in %1', labelOf(job)),
    done: job => {
      const check = job.result?.check as IGpuCheck | undefined;
      return check
        ? trans.__('%1: %2', labelOf(job), check.summary)
        : trans.__('%1 is checked', labelOf(job));
    },
    interrupted: job =>
      trans.__(
        'Checking the GPU in %1 was interrupted when the server stopped.',
        labelOf(job)
      ),
    actions: job => [
      {
        label: trans.__('Details'),
        run: () => void actions.showDetails(String(job.subject.env_id ?? ''))
      }
    ]
  };
}

/**
 * Restart kernels and tell what became of them.
 *
 * @returns whether none is left to be restarted
 */
async function restart(
  kernels: IRunningKernel[],
  actions: EnvironmentActions,
  trans: TranslationBundle
): Promise<boolean> {
  let outcome;
  try {
    outcome = await actions.restartKernels(kernels);
  } catch (thrown) {
    Notification.error(
      trans.__(
        'The kernels could not be restarted: %1',
        thrown instanceof Error ? thrown.message : String(thrown)
      )
    );
    return false;
  }
  const count = outcome.restarted.length;
  if (count > 0) {
    Notification.success(
      trans._n(
        '%1 kernel is restarted: %2',
        '%1 kernels are restarted: %2',
        count,
        outcome.restarted.map(nameOfKernel).join(', ')
      ),
      { autoClose: 5000 }
    );
  } else if (outcome.failed.length === 0) {
    Notification.info(trans.__('None of the kernels runs any more.'));
  }
  for (const { kernel, reason } of outcome.failed) {
    Notification.error(
      trans.__(
        'The kernel of %1 could not be restarted: %2',
        nameOfKernel(kernel),
        reason
      )
    );
  }
  return outcome.failed.length === 0;
}

function kernelsOf(job: IJob): IRunningKernel[] {
  const kernels = job.result?.kernels;
  return Array.isArray(kernels) ? (kernels as IRunningKernel[]) : [];
}

function nameOfKernel({ path, name }: IRunningKernel): string {
  return path === null ? name : path.replace(/^.*\//, '');
}

/**
 * The environment as it is listed; a job may have ended before the list was read again.
 */
async function withEnvironment(
  envs: EnvsModel,
  id: string
): Promise<IEnvironment | undefined> {
  if (!envs.get(id)) {
    await envs.refresh();
  }
  return envs.get(id);
}

function labelOf(job: IJob): string {
  return String(job.subject.label ?? job.subject.name ?? job.title);
}
