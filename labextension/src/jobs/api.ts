import { ServerConnection } from '@jupyterlab/services';

import { IErrorBody, query, request } from '../api';

export type JobState =
  | 'queued'
  | 'running'
  | 'cancelling'
  | 'done'
  | 'failed'
  | 'cancelled'
  | 'interrupted';

export type JobPhase =
  | 'preparing'
  | 'solving'
  | 'downloading'
  | 'linking'
  | 'checking'
  | 'copying'
  | 'finishing';

/**
 * How far a job is; what is not known is null.
 */
export interface IJobProgress {
  phase: JobPhase;
  packages_done: number | null;
  packages_total: number | null;
  bytes_done: number | null;
  bytes_total: number | null;
  /** Of files that are copied. */
  files_done?: number | null;
  files_total?: number | null;
  /** An estimate. */
  seconds_left: number | null;
}

/**
 * A piece of long work; times are ISO 8601 in UTC.
 */
export interface IJob {
  id: string;
  kind: string;
  title: string;
  state: JobState;
  created: string;
  started: string | null;
  finished: string | null;
  progress: IJobProgress | null;
  subject: { [name: string]: unknown };
  result: { [name: string]: unknown } | null;
  error: IErrorBody | null;
  warnings: string[];
  /** Whether the server of this page runs it. */
  mine: boolean;
  /** What it was started with, where the server tells. */
  request?: { [name: string]: unknown } | null;
}

export interface ILogLine {
  time: string;
  text: string;
}

/**
 * Whether the job has not ended yet.
 */
export function isActive(job: IJob): boolean {
  return (
    job.state === 'queued' ||
    job.state === 'running' ||
    job.state === 'cancelling'
  );
}

/**
 * The REST calls of the jobs room.
 */
export class JobsApi {
  constructor(private settings: ServerConnection.ISettings) {}

  async list(): Promise<IJob[]> {
    return (await request<{ jobs: IJob[] }>('jobs', this.settings)).jobs;
  }

  /**
   * Cancel a running job, discard an interrupted one, forget an ended one.
   */
  async remove(id: string): Promise<void> {
    await request<unknown>(this._path(id), this.settings, { method: 'DELETE' });
  }

  /**
   * Forget all jobs that have ended.
   */
  async clear(): Promise<void> {
    await request<unknown>('jobs', this.settings, { method: 'DELETE' });
  }

  async resume(id: string): Promise<IJob> {
    const path = `${this._path(id)}/resume`;
    const init = { method: 'POST' };
    return (await request<{ job: IJob }>(path, this.settings, init)).job;
  }

  /**
   * Lines of the log from a position on, and the position after them.
   */
  log(
    id: string,
    offset: number
  ): Promise<{ lines: ILogLine[]; next: number }> {
    return request(`${this._path(id)}/log${query({ offset })}`, this.settings);
  }

  private _path(id: string): string {
    return `jobs/${encodeURIComponent(id)}`;
  }
}
