import { TranslationBundle } from '@jupyterlab/translation';

import { formatBytes } from '../format';
import { IJob } from '../jobs/api';
import { IJobAction, IJobPresenter } from '../jobs/tokens';
import { EnvironmentActions } from './actions';
import { IEnvironment } from './api';
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
