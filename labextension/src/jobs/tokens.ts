import { Token } from '@lumino/coreutils';
import { IDisposable } from '@lumino/disposable';

import { IJob, JobsApi } from './api';
import { JobsModel } from './model';

/**
 * Something to do with a finished job.
 */
export interface IJobAction {
  label: string;
  run: () => void;
}

/**
 * How jobs of one kind are told to the user: each room knows its own.
 */
export interface IJobPresenter {
  /** What goes on: Creating myenv */
  doing(job: IJob): string;
  /** What was done: myenv is ready */
  done(job: IJob): string;
  /** What else there is to know when it is done; '' for nothing. */
  note?(job: IJob): string;
  /** What was not finished: Creating myenv was interrupted when the server stopped. */
  interrupted(job: IJob): string;
  /** What a cancelled one has left; that there is nothing of it without this. */
  cancelled?(job: IJob): string;
  /** Steps that follow a job that is done, the likeliest first. */
  actions(job: IJob): IJobAction[];
  /** Show the job's progress or outcome. */
  open(job: IJob, options?: { log?: boolean }): void;
  /** Whether the user is looking at it, and needs no notification. */
  isShown(job: IJob): boolean;
}

/**
 * Long work of any room.
 */
export interface IJobs {
  readonly api: JobsApi;
  readonly model: JobsModel;
  /** Say how jobs of a kind are told to the user. */
  addPresenter(kind: string, presenter: IJobPresenter): IDisposable;
  /** The one for this job; a plain one where no room has said how. */
  presenterOf(job: IJob): IJobPresenter;
}

export const IJobs = new Token<IJobs>(
  'jupyter-mlinfn:IJobs',
  'Long work on the server: progress, cancel, log.'
);
