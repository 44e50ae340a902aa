import { MlinfnError } from '../api';
import { CoalescedRead } from '../coalesce';
import { Observable } from '../observable';
import { IIdleAnswer, IIdleWarning } from './api';
import { isEndingPhase, nextLook } from './schedule';

/**
 * What the model needs of the REST calls.
 */
export interface IIdleSource {
  read(signal?: AbortSignal): Promise<IIdleAnswer>;
  keepAlive(seconds?: number): Promise<IIdleAnswer>;
  stop(): Promise<IIdleAnswer>;
}

/**
 * What is known of the server's end once it answers no more.
 */
export interface IIdleEnd {
  /** Whether it had begun; else its time had come when the server was found gone. */
  begun: boolean;
  /** Whether somebody asked for it in this page. */
  asked: boolean;
  /** Milliseconds since the epoch, by the server's clock. */
  at: number;
  reason: string;
}

/** What a server that is gone answers with: nothing, or what stands before it. */
const GONE = [0, 404, 424, 502, 503, 504];
/** Clocks that differ by so many milliseconds have not run together. */
const SLEPT = 5000;
/** Milliseconds for which an answer is waited for. */
const PATIENCE = { usual: 60000, ending: 5000 };
/** The longest that a browser's timer waits is about 24 days. */
const LONGEST_TIMER = 24 * 3600 * 1000;

/**
 * When this server is stopped, and why, as the server last told.
 *
 * It reads at the start, when it is told that something has changed, and when
 * the next warning or the end is due: there is no polling while the end is far.
 * Nothing but the server's answer is ever taken for an end or for its absence.
 */
export class IdleModel extends Observable {
  constructor(source: IIdleSource) {
    super();
    this._source = source;
    this._read = new CoalescedRead(() => this._readOnce());
  }

  /**
   * null until the server has answered.
   */
  get answer(): IIdleAnswer | null {
    return this._answer;
  }

  /**
   * What the last read failed with; what was read before it is kept.
   */
  get error(): MlinfnError | null {
    return this._error;
  }

  /**
   * What a person has to be told of now; null while there is nothing, and once
   * the server is on its way to stop.
   */
  get warning(): IIdleWarning | null {
    return this.isEnding ? null : (this._answer?.warning ?? null);
  }

  /**
   * Whether the stop has begun.
   */
  get isEnding(): boolean {
    const phase = this._answer?.phase;
    return isEndingPhase(phase);
  }

  /**
   * Whether somebody asked for that stop in this page.
   */
  get wasAsked(): boolean {
    return this._wasAsked;
  }

  /**
   * null as long as the server is there, or nothing tells why it does not answer.
   */
  get end(): IIdleEnd | null {
    return this._end;
  }

  protected onDispose(): void {
    clearTimeout(this._timer);
  }

  /**
   * The server's wall clock, in milliseconds since the epoch: this computer's
   * may be wrong. It is never behind, so what is left is never made longer.
   */
  get now(): number {
    return this._serverTime + performance.now() - this._sent;
  }

  /**
   * Seconds until a time of the server's, 0 where it has passed.
   */
  secondsUntil(time: string): number {
    return Math.max(0, (Date.parse(time) - this.now) / 1000);
  }

  /**
   * To be called while a clock runs: what it shows is not true after a sleep.
   */
  noticeSleep(): void {
    if (this._asleep > SLEPT && this._error === null && !this._isNoticed) {
      this._isNoticed = true;
      void this.refresh();
    }
  }

  /**
   * Resolves when it has been read after this call.
   */
  refresh(): Promise<void> {
    return this.isDisposed ? Promise.resolve() : this._read.request();
  }

  /**
   * Say that somebody is there, or keep the server that many seconds.
   *
   * @throws MlinfnError
   */
  keepAlive(seconds?: number): Promise<IIdleAnswer> {
    return this._ask(() => this._source.keepAlive(seconds));
  }

  /**
   * Have documents saved, and this server stopped.
   *
   * @throws MlinfnError
   */
  async stop(): Promise<void> {
    this._isAsking = true;
    try {
      await this._ask(() => this._source.stop());
    } finally {
      this._isAsking = false;
    }
  }

  private async _ask(call: () => Promise<IIdleAnswer>): Promise<IIdleAnswer> {
    const sent = performance.now();
    const answer = await call();
    this._take(answer, sent);
    return answer;
  }

  private async _readOnce(): Promise<void> {
    const sent = performance.now();
    const abort = new AbortController();
    // A server that ends may take a question and answer it no more.
    const patience = window.setTimeout(
      () => abort.abort(),
      this.isEnding ? PATIENCE.ending : PATIENCE.usual
    );
    try {
      this._take(await this._source.read(abort.signal), sent);
    } catch (thrown) {
      this._fail(MlinfnError.from(thrown));
    } finally {
      clearTimeout(patience);
    }
  }

  private _take(answer: IIdleAnswer, sent: number): void {
    // An answer to an earlier question never replaces that to a later one.
    if (this.isDisposed || (this._answer !== null && sent < this._sent)) {
      return;
    }
    this._answer = answer;
    this._sent = sent;
    this._sentAt = Date.now() - (performance.now() - sent);
    this._isNoticed = false;
    this._serverTime = Date.parse(answer.now);
    this._error = null;
    this._end = null;
    this._failures = 0;
    this._wasAsked = this.isEnding && (this._wasAsked || this._isAsking);
    this._schedule();
    this.emitChanged();
  }

  private _fail(error: MlinfnError): void {
    if (this.isDisposed) {
      return;
    }
    this._error = error;
    this._failures++;
    if (this._end === null && GONE.includes(error.status)) {
      this._end = this._endKnown();
    }
    this._schedule();
    this.emitChanged();
  }

  private _endKnown(): IIdleEnd | null {
    const { next, warning } = this._answer ?? { next: null, warning: null };
    const isStop = next?.action === 'stop_server';
    const time = warning?.stops_at ?? (isStop ? next.time : null);
    const due = time === null ? Infinity : Date.parse(time);
    if (!this.isEnding && due > this.now + this._asleep) {
      return null;
    }
    return {
      begun: this.isEnding,
      asked: this._wasAsked,
      at: this.isEnding ? this.now : due,
      reason: warning?.reason ?? next?.detail ?? ''
    };
  }

  /**
   * Milliseconds since the last answer that this computer has slept: the clock
   * of durations may stand still meanwhile. Else its wall clock was set.
   */
  private get _asleep(): number {
    const elapsed = performance.now() - this._sent;
    return Math.max(0, Date.now() - this._sentAt - elapsed);
  }

  /**
   * Look again when something is due, should the server's word of it be lost.
   */
  private _schedule(): void {
    clearTimeout(this._timer);
    if (this._answer === null || this._end !== null) {
      return;
    }
    const wait = nextLook(this._answer, this.now, this._failures);
    if (wait !== null) {
      this._wait(wait);
    }
  }

  private _wait(milliseconds: number): void {
    const now = Math.min(milliseconds, LONGEST_TIMER);
    this._timer = window.setTimeout(() => {
      if (milliseconds > now) {
        this._wait(milliseconds - now);
      } else {
        void this.refresh();
      }
    }, now);
  }

  private _source: IIdleSource;
  private _read: CoalescedRead;
  private _answer: IIdleAnswer | null = null;
  private _error: MlinfnError | null = null;
  private _end: IIdleEnd | null = null;
  private _serverTime = 0;
  private _sent = 0;
  private _sentAt = 0;
  private _isNoticed = false;
  private _failures = 0;
  private _isAsking = false;
  private _wasAsked = false;
  private _timer = 0;
}
