import { TranslationBundle } from '@jupyterlab/translation';

import { IJob } from '../jobs/api';
import { IJobPresenter } from '../jobs/tokens';
import { StorageActions } from './actions';
import { IRescued } from './api';
import { describeLeft, describeRescued } from './words';

/**
 * The kind of job that copies to what lasts.
 */
export const RESCUE = 'rescue';

/**
 * A rescue in words, and the way to what was kept.
 *
 * @param isShown whether somebody looks at the panel
 */
export function rescuePresenter(
  actions: StorageActions,
  isShown: () => boolean,
  trans: TranslationBundle
): IJobPresenter {
  const resultOf = (job: IJob): IRescued | null =>
    job.result as unknown as IRescued | null;
  return {
    isShown,
    open: () => void actions.open(),
    doing: () => trans.__('Keeping files'),
    done: job => {
      const rescued = resultOf(job);
      return rescued === null
        ? trans.__('Files are kept')
        : describeRescued(rescued, trans);
    },
    note: job => {
      const rescued = resultOf(job);
      return rescued === null
        ? ''
        : [rescued.problem, describeLeft(rescued, trans)]
            .filter(part => part)
            .join(' ');
    },
    cancelled: job => {
      const rescued = resultOf(job);
      return rescued?.files
        ? trans.__('Cancelled: %1', describeRescued(rescued, trans))
        : trans.__(
            'Keeping files was cancelled. What was copied until then is whole, and stays in %1.',
            String(job.subject.folder ?? 'private')
          );
    },
    interrupted: () =>
      trans.__('Keeping files was interrupted when the server stopped.'),
    actions: job => {
      const root = resultOf(job)?.root_path ?? null;
      return root === null
        ? []
        : [
            {
              label: trans.__('Show the folder'),
              run: () => void actions.browse(root)
            }
          ];
    }
  };
}
