import { MlinfnError } from '../api';
import { CoalescedRead } from '../coalesce';
import { Observable } from '../observable';
import { ISessionAnswer, IStorage } from './api';

/**
 * What the model needs of the REST calls.
 */
export interface ISessionSource {
  read(): Promise<ISessionAnswer>;
  survey(): Promise<ISessionAnswer>;
  stop(when: 'now' | 'finished', keep: boolean): Promise<ISessionAnswer>;
  callOff(): Promise<ISessionAnswer>;
  storage(): Promise<IStorage>;
}

/** Milliseconds between looks while a stop is under way, should its events be lost. */
const AGAIN = 2000;

/**
 * What this server uses, what would be lost, and whether it is being stopped.
 *
 * It reads at the start, when it is told that something has changed, and now
 * and then while a stop is under way. What was read last is kept: once the
 * server is gone that is all there is to tell.
 */
export class SessionModel extends Observable {
  constructor(source: ISessionSource) {
    super();
    this._source = source;
    this._read = new CoalescedRead(() => this._readOnce());
  }

  /**
   * null until the server has answered.
   */
  get answer(): ISessionAnswer | null {
    return this._answer;
  }

  /**
   * What the last read failed with.
   */
  get error(): MlinfnError | null {
    return this._error;
  }

  /**
   * Whether the last survey has been answered: before that nobody knows what
   * pages and terminals have.
   */
  get isSurveyed(): boolean {
    return this._isSurveyed;
  }

  /**
   * What the last survey failed with.
   */
  get surveyError(): MlinfnError | null {
    return this._surveyError;
  }

  /**
   * What lasts; null until it is known.
   */
  get storage(): IStorage | null {
    return this._storage;
  }

  /**
   * Whether somebody asked for the stop in this page.
   */
  get wasAsked(): boolean {
    return this._wasAsked;
  }

  /**
   * Whether a stop that cannot wait is under way.
   */
  get isStopping(): boolean {
    const phase = this._answer?.stop.phase ?? null;
    return phase !== null && phase !== 'waiting';
  }

  protected onDispose(): void {
    clearTimeout(this._timer);
  }

  /**
   * The server's wall clock, in milliseconds since the epoch.
   */
  get now(): number {
    return this._serverTime + performance.now() - this._sent;
  }

  /**
   * Resolves when it has been read after this call.
   */
  refresh(): Promise<void> {
    return this.isDisposed ? Promise.resolve() : this._read.request();
  }

  /**
   * Have pages asked, and files counted; what is found arrives bit by bit.
   */
  async survey(): Promise<void> {
    this._isSurveyed = false;
    this._surveyError = null;
    const storage = this._source.storage().then(
      found => {
        this._storage = found;
        this.emitChanged();
      },
      reason => {
        // It is told in general words then.
        console.debug('The storage could not be read.', reason);
      }
    );
    try {
      await this._ask(async () => {
        const answer = await this._source.survey();
        this._isSurveyed = true;
        return answer;
      });
    } catch (thrown) {
      this._surveyError = MlinfnError.from(thrown);
      this.emitChanged();
    }
    await storage;
  }

  /**
   * @param keep whether files that would be lost are copied to where they last
   * @throws MlinfnError
   */
  async stop(when: 'now' | 'finished', keep: boolean): Promise<void> {
    this._isAsking = true;
    try {
      await this._ask(() => this._source.stop(when, keep));
    } finally {
      this._isAsking = false;
    }
  }

  /**
   * Stay after all.
   *
   * @throws MlinfnError where it is too late
   */
  async callOff(): Promise<void> {
    await this._ask(() => this._source.callOff());
  }

  private async _ask(call: () => Promise<ISessionAnswer>): Promise<void> {
    const sent = performance.now();
    this._take(await call(), sent);
  }

  private async _readOnce(): Promise<void> {
    const sent = performance.now();
    try {
      this._take(await this._source.read(), sent);
    } catch (thrown) {
      this._error = MlinfnError.from(thrown);
      this.emitChanged();
    }
  }

  private _take(answer: ISessionAnswer, sent: number): void {
    // An answer to an earlier question never replaces that to a later one.
    if (this.isDisposed || sent < this._sent) {
      return;
    }
    this._answer = answer;
    this._sent = sent;
    this._serverTime = Date.parse(answer.now);
    this._error = null;
    clearTimeout(this._timer);
    const { phase } = answer.stop;
    this._wasAsked = phase !== null && (this._wasAsked || this._isAsking);
    if (this.isStopping) {
      this._timer = window.setTimeout(() => void this.refresh(), AGAIN);
    }
    this.emitChanged();
  }

  private _source: ISessionSource;
  private _read: CoalescedRead;
  private _answer: ISessionAnswer | null = null;
  private _storage: IStorage | null = null;
  private _isSurveyed = false;
  private _surveyError: MlinfnError | null = null;
  private _error: MlinfnError | null = null;
  private _serverTime = 0;
  private _sent = -Infinity;
  private _timer = 0;
  private _isAsking = false;
  private _wasAsked = false;
}
