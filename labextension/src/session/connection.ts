import { Observable } from '../observable';
import { Contact, ILook, ISurroundings, judge } from './judge';

/** Milliseconds between looks: at first, at last, and how they grow. */
const PAUSE = { first: 1000, last: 10000, factor: 1.6 };

export interface IConnectionOptions {
  /** Look whether the server answers; never rejects. */
  look: () => Promise<ILook>;
  /** What tells an interruption from an end. */
  around: () => ISurroundings;
}

/**
 * Whether this page has its server. It looks only after somebody has failed to
 * reach it, less and less often, and not at all while nobody sees the page.
 */
export class Connection extends Observable {
  constructor(options: IConnectionOptions) {
    super();
    this._options = options;
    window.addEventListener('online', this._onHint);
    window.addEventListener('offline', this._onOffline);
    document.addEventListener('visibilitychange', this._onHint);
  }

  get contact(): Contact {
    return this._contact;
  }

  /**
   * Of the last answer; 0 where none came.
   */
  get status(): number {
    return this._status;
  }

  /**
   * Seconds for which the server has not answered; 0 while it does.
   */
  get failing(): number {
    return this._since === null ? 0 : (performance.now() - this._since) / 1000;
  }

  /**
   * Whether an end of the server is known: who knows replaces this.
   */
  isEnding: () => boolean = () => false;

  /**
   * Whether this computer has a network.
   */
  get isOnline(): boolean {
    return this._options.around().online;
  }

  /**
   * Whether the page is being asked for right now.
   */
  get isLooking(): boolean {
    return this._isLooking;
  }

  protected onDispose(): void {
    clearTimeout(this._timer);
    window.removeEventListener('online', this._onHint);
    window.removeEventListener('offline', this._onOffline);
    document.removeEventListener('visibilitychange', this._onHint);
  }

  /**
   * Remember which server this page is of.
   */
  async meet(): Promise<void> {
    const { started, status } = await this._options.look();
    if (status === 200) {
      this._started ??= started;
    }
  }

  /**
   * Somebody could not reach the server.
   */
  suspect(): void {
    if (this._since === null) {
      this._since = performance.now();
      this._pause = PAUSE.first;
      void this.lookNow();
    }
  }

  /**
   * Look at once.
   */
  async lookNow(): Promise<void> {
    if (this._isLooking || this.isDisposed) {
      return;
    }
    clearTimeout(this._timer);
    this._isLooking = true;
    this.emitChanged();
    const look = await this._options.look();
    this._isLooking = false;
    if (!this.isDisposed) {
      this._take(look);
    }
  }

  private _take(look: ILook): void {
    this._status = look.status;
    this._contact = judge(
      look,
      this._started,
      this._contact,
      this.failing,
      this.isEnding(),
      this._options.around()
    );
    if (this._contact === 'fine') {
      this._since = null;
    } else if (this._contact !== 'returned') {
      this._since ??= performance.now();
      this._lookLater();
    }
    this.emitChanged();
  }

  private _lookLater(): void {
    clearTimeout(this._timer);
    if (document.visibilityState === 'visible') {
      this._timer = window.setTimeout(() => void this.lookNow(), this._pause);
      this._pause = Math.min(this._pause * PAUSE.factor, PAUSE.last);
    }
  }

  /**
   * There is a network again, or somebody who looks.
   */
  private _onHint = (): void => {
    if (
      this._since !== null &&
      this._contact !== 'returned' &&
      document.visibilityState === 'visible'
    ) {
      this._pause = PAUSE.first;
      void this.lookNow();
    }
  };

  /**
   * The browser knows sooner than who asks the server now and then; it may be
   * wrong of a server on this computer.
   */
  private _onOffline = (): void => {
    if (document.visibilityState === 'visible') {
      this.suspect();
    }
  };

  private _options: IConnectionOptions;
  private _contact: Contact = 'fine';
  private _status = 200;
  private _since: number | null = null;
  private _started: string | null = null;
  private _pause = PAUSE.first;
  private _timer = 0;
  private _isLooking = false;
}
