import { Poll } from '@lumino/polling';

import { MlinfnError } from '../api';
import { CoalescedRead } from '../coalesce';
import { Observable } from '../observable';
import { Attention } from './attention';
import { IGpuAnswer, IGpuReleased, IGpuView } from './api';
import { History } from './history';

/**
 * Pauses between reads, in milliseconds: usually, as long as the server has not
 * found out yet what there is, and where there is nothing to be followed.
 */
const PAUSE = { usual: 2000, starting: 400, nothing: 10000 };

/**
 * What the model needs of the REST calls.
 */
export interface IGpuSource {
  read(since: number, revision: number): Promise<IGpuAnswer>;
  release(kernels: string[]): Promise<IGpuReleased>;
}

/**
 * Memory of a device, in bytes; null is not reported.
 */
export interface IMemory {
  used: number | null;
  free: number | null;
  total: number | null;
}

/**
 * The user's GPU as the server last told.
 *
 * There is one per page, however many widgets show it: it reads only while one
 * of them is shown to somebody who can be looking, and else makes no call at
 * all. A proxy takes any request for activity, and the server wakes the driver
 * for whoever reads.
 */
export class GpuModel extends Observable {
  constructor(source: IGpuSource, attention: Attention) {
    super();
    this._source = source;
    this._attention = attention;
    this._read = new CoalescedRead(() => this._readOnce());
    this._poll = new Poll({
      name: 'jupyter-mlinfn:gpu',
      auto: false,
      factory: async () => {
        await this._read.request();
        if (this._error) {
          // The poll waits longer and longer then.
          throw this._error;
        }
      },
      frequency: { interval: PAUSE.starting, backoff: true, max: 30000 },
      standby: 'never'
    });
    attention.changed.connect(this._onAttention, this);
    this._update();
  }

  /**
   * null until the server has answered.
   */
  get view(): IGpuView | null {
    return this._view;
  }

  get history(): History {
    return this._history;
  }

  /**
   * What the last read failed with; what was read before it is kept.
   */
  get error(): MlinfnError | null {
    return this._error;
  }

  /**
   * Whether the figures are those of now; else they are those of `history.end`.
   */
  get isCurrent(): boolean {
    return this._view !== null && this._error === null && !this.isPaused;
  }

  /**
   * Whether nothing is read because nobody has touched the page for long.
   */
  get isPaused(): boolean {
    return !this._attention.given;
  }

  protected onDispose(): void {
    this._attention.changed.disconnect(this._onAttention, this);
    this._poll.dispose();
    this._shown.clear();
  }

  /**
   * Say whether a widget is shown that shows this.
   */
  setShown(widget: object, isShown: boolean): void {
    if (isShown) {
      this._shown.add(widget);
    } else {
      this._shown.delete(widget);
    }
    this._update();
  }

  /**
   * Read again because something has changed on the server.
   *
   * Read once also where no widget is shown: the status bar item is hidden as
   * long as there is no GPU, and has to come when there is one. But not where
   * nobody can be looking, for that is found out as soon as somebody does.
   */
  refresh(): void {
    if (!this._attention.given) {
      this._isStale = true;
    } else if (this._isFollowed) {
      void this._poll.refresh();
    } else if (!this.isDisposed) {
      void this._read.request();
    }
  }

  /**
   * Resolves when what there is has been read after this call.
   */
  readNow(): Promise<void> {
    return this._read.request();
  }

  /**
   * Shut kernels down, and measure how much memory comes back.
   *
   * @throws MlinfnError
   */
  async release(kernels: string[]): Promise<IGpuReleased> {
    try {
      return await this._source.release(kernels);
    } finally {
      this.refresh();
    }
  }

  /**
   * Memory of a device, by its newest sample where that is newer than the view.
   */
  memoryOf(uuid: string): IMemory {
    const device = this._view?.devices.find(one => one.uuid === uuid);
    const total = device?.memory_total ?? null;
    const newest = this._history.newest(uuid);
    if (newest === null || newest.seq <= this._viewSeq) {
      const used = device?.memory_used ?? null;
      return { used, total, free: device?.memory_free ?? null };
    }
    const { used } = newest;
    const free =
      used === null || total === null
        ? null
        : Math.max(0, total - used - (device?.memory_reserved ?? 0));
    return { used, free, total };
  }

  /**
   * Per cent of the time in which a device computed; null where not reported.
   */
  utilisationOf(uuid: string): number | null {
    const device = this._view?.devices.find(one => one.uuid === uuid);
    const newest = this._history.newest(uuid);
    return newest === null || newest.seq <= this._viewSeq
      ? (device?.utilisation ?? null)
      : newest.utilisation;
  }

  private async _readOnce(): Promise<void> {
    try {
      let answer = await this._source.read(this._seq, this._revision);
      if (answer.seq < this._seq || answer.revision < this._revision) {
        // It counts from the beginning: the server was started anew.
        this._seq = this._revision = 0;
        answer = await this._source.read(0, 0);
      }
      this._take(answer);
      this._error = null;
    } catch (thrown) {
      this._error = MlinfnError.from(thrown);
      if (this._error.isNetwork) {
        // Another server may answer next, and have counted further than this one.
        this._seq = this._revision = 0;
      }
    }
    if (!this.isDisposed) {
      this._update();
      this.emitChanged();
    }
  }

  private _take(answer: IGpuAnswer): void {
    if (this._seq === 0) {
      this._history.clear();
    }
    this._history.add(answer.samples);
    this._seq = answer.seq;
    this._revision = answer.revision;
    if (answer.view) {
      this._view = answer.view;
      this._viewSeq = answer.seq;
    }
  }

  private _onAttention(): void {
    this._update();
    if (this._isStale && this._attention.given) {
      this._isStale = false;
      this.refresh();
    }
    this.emitChanged();
  }

  private get _isStarting(): boolean {
    return this._view === null || this._view.state.kind === 'starting';
  }

  /**
   * Whether it is to be read again and again.
   */
  private get _isFollowed(): boolean {
    return this._attention.given && (this._isStarting || this._shown.size > 0);
  }

  /**
   * Begin to read, go on, or stop.
   */
  private _update(): void {
    const interval = this._isStarting
      ? PAUSE.starting
      : this._view?.devices.length
        ? PAUSE.usual
        : PAUSE.nothing;
    this._poll.frequency = { ...this._poll.frequency, interval };
    if (this._isFollowed) {
      void this._poll.start();
    } else {
      void this._poll.stop();
    }
  }

  private _source: IGpuSource;
  private _attention: Attention;
  private _read: CoalescedRead;
  private _poll: Poll;
  private _shown = new Set<object>();
  private _history = new History();
  private _view: IGpuView | null = null;
  private _error: MlinfnError | null = null;
  private _seq = 0;
  private _revision = 0;
  private _viewSeq = 0;
  private _isStale = false;
}
