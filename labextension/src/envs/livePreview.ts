import { isAborted, MlinfnError } from '../api';
import { Observable } from '../observable';

/**
 * How long after the last key the preview is asked for.
 */
export const PREVIEW_DELAY = 300;

/**
 * The longest pause before asking again what another form's question displaced:
 * the server answers one at a time, and two forms must not displace each other for ever.
 */
export const LONGEST_PAUSE = 5000;

/**
 * What is known of what would be done.
 */
export type Preview<Plan> =
  | { state: 'none' }
  | { state: 'asking'; last: Plan | null }
  | { state: 'known'; plan: Plan }
  | { state: 'refused'; error: MlinfnError };

/**
 * The server's answer to what a form asks for, kept up to date with the form.
 */
export class LivePreview<Wanted, Plan> extends Observable {
  /**
   * @param wanted what is asked for now; null where that is not complete yet
   * @param request asks the server
   */
  constructor(
    wanted: () => Wanted | null,
    request: (wanted: Wanted, signal: AbortSignal) => Promise<Plan>
  ) {
    super();
    this._wanted = wanted;
    this._request = request;
  }

  get current(): Preview<Plan> {
    return this._current;
  }

  /**
   * The last plan that is not outdated by more than what is being asked for.
   */
  get plan(): Plan | null {
    switch (this._current.state) {
      case 'known':
        return this._current.plan;
      case 'asking':
        return this._current.last;
      default:
        return null;
    }
  }

  /**
   * Why the server would not do it.
   */
  get error(): MlinfnError | null {
    return this._current.state === 'refused' ? this._current.error : null;
  }

  protected onDispose(): void {
    this._giveUp();
  }

  /**
   * Ask after a pause; a question that is under way is given up.
   */
  ask(delay = PREVIEW_DELAY): void {
    this._displaced = 0;
    this._schedule(delay);
  }

  /**
   * Ask no more: the form is submitted.
   */
  stop(): void {
    this._giveUp();
    if (this._current.state === 'asking') {
      this._current = { state: 'none' };
    }
  }

  private _schedule(delay: number): void {
    const last = this.plan;
    this._giveUp();
    if (this.isDisposed) {
      return;
    }
    if (this._wanted() === null) {
      this._current = { state: 'none' };
    } else {
      this._current = { state: 'asking', last };
      this._timer = window.setTimeout(() => void this._run(), delay);
    }
    this.emitChanged();
  }

  private async _run(): Promise<void> {
    const wanted = this._wanted();
    if (wanted === null) {
      return;
    }
    const abort = new AbortController();
    this._abort = abort;
    let next: Preview<Plan>;
    try {
      const plan = await this._request(wanted, abort.signal);
      next = { state: 'known', plan };
    } catch (thrown) {
      if (isAborted(thrown)) {
        return;
      }
      const error = MlinfnError.from(thrown);
      if (error.isSuperseded) {
        if (!abort.signal.aborted) {
          this._askAgain();
        }
        return;
      }
      next = { state: 'refused', error };
    }
    // An answer that was under way when its request was given up.
    if (!abort.signal.aborted) {
      this._current = next;
      this.emitChanged();
    }
  }

  /**
   * Another form or tab asked meanwhile: that is no news to the user.
   */
  private _askAgain(): void {
    const pause = PREVIEW_DELAY * 2 ** this._displaced++;
    // Of random length, so that two forms get out of each other's way.
    this._schedule(Math.min(pause, LONGEST_PAUSE) * (0.5 + Math.random()));
  }

  private _giveUp(): void {
    clearTimeout(this._timer);
    this._abort?.abort();
    this._abort = null;
  }

  private _wanted: () => Wanted | null;
  private _request: (wanted: Wanted, signal: AbortSignal) => Promise<Plan>;
  private _current: Preview<Plan> = { state: 'none' };
  private _abort: AbortController | null = null;
  private _timer = 0;
  private _displaced = 0;
}
