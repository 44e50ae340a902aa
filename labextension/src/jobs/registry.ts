import { TranslationBundle } from '@jupyterlab/translation';
import { DisposableDelegate, IDisposable } from '@lumino/disposable';

import { IJob, JobsApi } from './api';
import { JobsModel } from './model';
import { IJobPresenter, IJobs } from './tokens';

/**
 * The jobs and who knows how to tell them.
 */
export class Jobs implements IJobs {
  constructor(
    readonly api: JobsApi,
    readonly model: JobsModel,
    trans: TranslationBundle
  ) {
    this._plain = {
      doing: job => job.title,
      done: job => trans.__('%1: done', job.title),
      interrupted: job =>
        trans.__('%1 was interrupted when the server stopped.', job.title),
      actions: () => [],
      open: () => undefined,
      isShown: () => false
    };
  }

  addPresenter(kind: string, presenter: IJobPresenter): IDisposable {
    this._presenters.set(kind, presenter);
    return new DisposableDelegate(() => {
      this._presenters.delete(kind);
    });
  }

  presenterOf(job: IJob): IJobPresenter {
    return this._presenters.get(job.kind) ?? this._plain;
  }

  private _plain: IJobPresenter;
  private _presenters = new Map<string, IJobPresenter>();
}
