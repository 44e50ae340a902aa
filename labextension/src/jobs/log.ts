import { Poll } from '@lumino/polling';

import { MlinfnError } from '../api';
import { CoalescedRead } from '../coalesce';
import { Observable } from '../observable';
import { ILogLine } from './api';

/**
 * How often an open log of a running job is read on.
 */
const FOLLOW_INTERVAL = 1000;

/**
 * More lines than this are not kept in the page.
 */
export const MAX_LINES = 5000;

/**
 * Reads the log of one job, and goes on reading while the job runs.
 */
export class LogModel extends Observable {
  /**
   * @param read lines from an offset on, and the offset after them
   */
  constructor(
    read: (offset: number) => Promise<{ lines: ILogLine[]; next: number }>
  ) {
    super();
    this._read = new CoalescedRead(async () => {
      try {
        const { lines, next } = await read(this._next);
        this._error = null;
        this._isLoaded = true;
        this._next = next;
        this._lines = this._lines.concat(lines).slice(-MAX_LINES);
      } catch (thrown) {
        this._error = MlinfnError.from(thrown);
      }
      if (!this.isDisposed) {
        this.emitChanged();
      }
    });
    this._poll = new Poll({
      name: 'jupyter-mlinfn:log',
      auto: false,
      factory: () => this._read.request(),
      frequency: { interval: FOLLOW_INTERVAL, backoff: false },
      standby: 'when-hidden'
    });
  }

  get lines(): ReadonlyArray<ILogLine> {
    return this._lines;
  }

  get isLoaded(): boolean {
    return this._isLoaded;
  }

  get error(): MlinfnError | null {
    return this._error;
  }

  protected onDispose(): void {
    this._poll.dispose();
  }

  /**
   * Read to the end, and with `running` go on until it is called without.
   */
  follow(running: boolean): void {
    if (running === this._following) {
      return;
    }
    this._following = running;
    void this._read.request();
    void (running ? this._poll.start() : this._poll.stop());
  }

  private _read: CoalescedRead;
  private _poll: Poll;
  private _lines: ILogLine[] = [];
  private _next = 0;
  private _following: boolean | null = null;
  private _isLoaded = false;
  private _error: MlinfnError | null = null;
}
