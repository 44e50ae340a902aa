import { Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { MlinfnError } from '../api';
import { CoalescedRead } from '../coalesce';
import { Observable } from '../observable';
import { IJob, isActive, JobState } from './api';

/**
 * While a job runs its events may be lost: how often it is read then at least.
 */
const SAFETY_INTERVAL = 5000;

/**
 * What the model needs of the REST calls.
 */
export interface IJobsSource {
  list(): Promise<IJob[]>;
  remove(id: string): Promise<void>;
  clear(): Promise<void>;
  resume(id: string): Promise<IJob>;
}

/**
 * A job whose state is another one than when it was read before.
 */
export interface IJobTransition {
  job: IJob;
  /** null when it was not known before */
  from: JobState | null;
}

/**
 * The jobs of the user, as the server last told.
 */
export class JobsModel extends Observable {
  constructor(source: IJobsSource) {
    super();
    this._source = source;
    this._read = new CoalescedRead(() => this._readList());
    this._safety = new Poll({
      name: 'jupyter-mlinfn:jobs',
      auto: false,
      factory: () =>
        Date.now() - this._read.lastBegun < SAFETY_INTERVAL / 2
          ? Promise.resolve()
          : this.refresh(),
      frequency: { interval: SAFETY_INTERVAL, backoff: false },
      standby: 'when-hidden'
    });
  }

  /**
   * Newest first.
   */
  get jobs(): ReadonlyArray<IJob> {
    return this._jobs;
  }

  /**
   * Whether the server has been read at least once.
   */
  get isLoaded(): boolean {
    return this._isLoaded;
  }

  /**
   * What the last read failed with.
   */
  get error(): MlinfnError | null {
    return this._error;
  }

  /**
   * Emitted for each job that changed its state, after `changed`.
   */
  get transitioned(): ISignal<this, IJobTransition> {
    return this._transitioned;
  }

  protected onDispose(): void {
    this._safety.dispose();
  }

  get(id: string): IJob | undefined {
    return this._jobs.find(job => job.id === id);
  }

  /**
   * Read again; never more than one request at a time.
   */
  refresh(): Promise<void> {
    return this._read.request();
  }

  /**
   * Take over a job that a request has just answered with.
   */
  adopt(job: IJob): void {
    this._update([job, ...this._jobs.filter(known => known.id !== job.id)]);
  }

  /**
   * Cancel a running job, discard an interrupted one, forget an ended one.
   *
   * @throws MlinfnError
   */
  async remove(id: string): Promise<void> {
    const job = this.get(id);
    try {
      await this._source.remove(id);
    } catch (thrown) {
      // Whoever removed it meanwhile did what was wanted.
      if (MlinfnError.from(thrown).status !== 404) {
        throw thrown;
      }
    }
    if (job?.state === 'running' || job?.state === 'queued') {
      this.adopt({ ...job, state: 'cancelling' });
    }
    await this.refresh();
  }

  /**
   * Take up an interrupted job, or try a failed one again; its id may be a new one.
   *
   * @throws MlinfnError
   */
  async resume(id: string): Promise<IJob> {
    const job = await this._source.resume(id);
    this.adopt(job);
    void this.refresh();
    return job;
  }

  /**
   * Forget all jobs that have ended.
   *
   * @throws MlinfnError
   */
  async clear(): Promise<void> {
    await this._source.clear();
    await this.refresh();
  }

  private async _readList(): Promise<void> {
    try {
      const jobs = await this._source.list();
      this._error = null;
      this._isLoaded = true;
      this._update(jobs);
    } catch (thrown) {
      this._error = MlinfnError.from(thrown);
      this._emit();
    }
  }

  private _update(jobs: IJob[]): void {
    if (this.isDisposed) {
      return;
    }
    const before = new Map(this._jobs.map(job => [job.id, job.state]));
    this._jobs = jobs;
    if (jobs.some(isActive)) {
      void this._safety.start();
    } else {
      void this._safety.stop();
    }
    this._emit();
    for (const job of jobs) {
      const from = before.get(job.id) ?? null;
      if (from !== job.state) {
        this._transitioned.emit({ job, from });
      }
    }
  }

  private _emit(): void {
    if (!this.isDisposed) {
      this.emitChanged();
    }
  }

  private _source: IJobsSource;
  private _read: CoalescedRead;
  private _safety: Poll;
  private _jobs: IJob[] = [];
  private _isLoaded = false;
  private _error: MlinfnError | null = null;
  private _transitioned = new Signal<this, IJobTransition>(this);
}
