import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { MlinfnError } from '../api';
import { IJob, isActive } from './api';
import { IJobTransition, JobsModel } from './model';
import { IJobs } from './tokens';

/**
 * Tells of jobs that ended while the user looked elsewhere, and offers to take
 * up those that a stop of the server interrupted. Lives as long as the page.
 */
export class JobNotifications {
  constructor(jobs: IJobs, trans: TranslationBundle) {
    this._jobs = jobs;
    this._trans = trans;
    jobs.model.transitioned.connect(this._onTransition, this);
    jobs.model.changed.connect(this._onChanged, this);
  }

  private _onTransition(_: JobsModel, { job, from }: IJobTransition): void {
    if (this._jobs.presenterOf(job).isShown(job)) {
      return;
    }
    if (job.state === 'interrupted') {
      this._offerResume(job);
    } else if (from !== null && job.state === 'done') {
      this._tellDone(job);
    } else if (from !== null && job.state === 'failed') {
      this._tellFailed(job);
    }
  }

  /**
   * An offer goes when its job was resumed or discarded, here or elsewhere.
   */
  private _onChanged(model: JobsModel): void {
    for (const [id, notification] of Array.from(this._offers)) {
      if (model.get(id)?.state !== 'interrupted') {
        this._offers.delete(id);
        Notification.dismiss(notification);
      }
    }
  }

  private _tellDone(job: IJob): void {
    const presenter = this._jobs.presenterOf(job);
    const actions = presenter.actions(job).slice(0, 2);
    const told = [presenter.done(job), presenter.note?.(job)];
    Notification.success(told.filter(part => part).join('. '), {
      autoClose: 15000,
      actions: actions.map(({ label, run }, index) => ({
        label,
        callback: () => run(),
        displayType: index === 0 ? 'accent' : 'default'
      }))
    });
  }

  private _tellFailed(job: IJob): void {
    const trans = this._trans;
    const presenter = this._jobs.presenterOf(job);
    const reason = job.error?.message ?? trans.__('The reason is not known.');
    Notification.error(
      trans.__('%1 failed. %2', presenter.doing(job), reason),
      {
        autoClose: false,
        actions: [
          {
            label: trans.__('Show log'),
            callback: () => presenter.open(job, { log: true })
          }
        ]
      }
    );
  }

  private _offerResume(job: IJob): void {
    const trans = this._trans;
    const presenter = this._jobs.presenterOf(job);
    const model = this._jobs.model;
    const id = Notification.warning(presenter.interrupted(job), {
      autoClose: false,
      actions: [
        {
          label: trans.__('Resume'),
          displayType: 'accent',
          callback: () => {
            model.resume(job.id).then(
              resumed => {
                if (isActive(resumed)) {
                  presenter.open(resumed);
                }
              },
              thrown => this._tellRefused(thrown)
            );
          }
        },
        {
          label: trans.__('Discard'),
          callback: () => {
            model.remove(job.id).catch(thrown => this._tellRefused(thrown));
          }
        }
      ]
    });
    this._offers.set(job.id, id);
  }

  private _tellRefused(thrown: unknown): void {
    const { message, hint } = MlinfnError.from(thrown);
    Notification.error([message, hint].filter(part => part).join(' '));
  }

  private _jobs: IJobs;
  private _trans: TranslationBundle;
  private _offers = new Map<string, string>();
}
