import { isAborted, MlinfnError } from '../api';
import { Observable } from '../observable';
import { IPackageHit } from './api';
import { isBareName } from './specs';

/**
 * How long after the last key the channels are searched.
 */
export const SEARCH_DELAY = 150;

/**
 * Completion of package names.
 */
export class SearchModel extends Observable {
  /**
   * @param search finds packages by name, best first
   */
  constructor(
    search: (q: string, signal: AbortSignal) => Promise<IPackageHit[]>
  ) {
    super();
    this._search = search;
  }

  get hits(): ReadonlyArray<IPackageHit> {
    return this._hits;
  }

  /**
   * What was searched for and is answered: empty hits mean that nothing is found.
   */
  get answered(): string {
    return this._answered;
  }

  get error(): MlinfnError | null {
    return this._error;
  }

  protected onDispose(): void {
    this._stop();
  }

  /**
   * Search for what is typed; where it is more than a name there is nothing to complete.
   */
  type(text: string): void {
    this._stop();
    const q = text.trim();
    if (!isBareName(q)) {
      this._set([], '', null);
      return;
    }
    this._timer = window.setTimeout(() => void this._run(q), SEARCH_DELAY);
  }

  private async _run(q: string): Promise<void> {
    const abort = new AbortController();
    this._abort = abort;
    try {
      const hits = await this._search(q, abort.signal);
      if (!abort.signal.aborted) {
        this._set(hits, q, null);
      }
    } catch (thrown) {
      if (!isAborted(thrown) && !abort.signal.aborted) {
        this._set([], '', MlinfnError.from(thrown));
      }
    }
  }

  private _stop(): void {
    clearTimeout(this._timer);
    this._abort?.abort();
    this._abort = null;
  }

  private _set(
    hits: IPackageHit[],
    answered: string,
    error: MlinfnError | null
  ): void {
    this._hits = hits;
    this._answered = answered;
    this._error = error;
    if (!this.isDisposed) {
      this.emitChanged();
    }
  }

  private _search: (q: string, signal: AbortSignal) => Promise<IPackageHit[]>;
  private _hits: IPackageHit[] = [];
  private _answered = '';
  private _error: MlinfnError | null = null;
  private _abort: AbortController | null = null;
  private _timer = 0;
}
