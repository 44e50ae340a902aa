import { UUID } from '@lumino/coreutils';
import { IDisposable } from '@lumino/disposable';

import { PersonInput } from '../attention';
import { IDocuments, IPageReport, ISaved } from './api';
import { IdleModel } from './model';

/**
 * At most one report of input in so many milliseconds.
 */
export const REPORT_EVERY = 60000;

/**
 * While a warning is shown, input is told sooner: after so many milliseconds,
 * or a part of what is left. Not at once, for the warning would be gone before
 * a person who comes back has read it.
 */
const WHILE_WARNED = { wait: 10000, part: 0.25 };

/**
 * How long a page has to stay visible, or hidden, before that is told: who goes
 * through their tabs causes nothing.
 */
const SETTLED = 5000;

/**
 * What the reporter needs of the REST calls.
 */
export interface IReportSink {
  report(report: IPageReport): Promise<void>;
}

/**
 * Tells the server of a person's input in this page: one small report a minute
 * at most, none when there is none. And what else a page has to tell.
 */
export class PageReporter implements IDisposable {
  constructor(sink: IReportSink, input: PersonInput, model: IdleModel) {
    this._sink = sink;
    this._input = input;
    this._model = model;
    input.happened.connect(this._onInput, this);
    model.changed.connect(this._onChanged, this);
    window.addEventListener('pagehide', this._onHide);
    window.addEventListener('pageshow', this._onShow);
    document.addEventListener('visibilitychange', this._onVisibility);
    this._announce();
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    clearTimeout(this._timer);
    clearTimeout(this._settling);
    this._input.happened.disconnect(this._onInput, this);
    this._model.changed.disconnect(this._onChanged, this);
    window.removeEventListener('pagehide', this._onHide);
    window.removeEventListener('pageshow', this._onShow);
    document.removeEventListener('visibilitychange', this._onVisibility);
  }

  /**
   * A person can have seen that warning.
   */
  shown(warning: string): void {
    if (warning !== this._shown) {
      this._shown = warning;
      this._send({ ...this._seen(), shown: warning });
    }
  }

  /**
   * What became of this page's documents.
   *
   * @throws MlinfnError
   */
  saved(saved: ISaved): Promise<void> {
    return this._sink.report({ page: this._page, saved });
  }

  /**
   * The answer to the server's question, which documents this page has.
   */
  documents(asked: string, documents: IDocuments): void {
    this._send({ documents: { asked, ...documents } });
  }

  private _onInput(): void {
    // Who asked for the stop may move the pointer after that.
    if (this._due === null && !this._model.wasAsked) {
      this._plan();
    }
  }

  /**
   * A warning that has come since makes what is planned more urgent.
   */
  private _onChanged(): void {
    if (this._model.wasAsked) {
      clearTimeout(this._timer);
      this._due = null;
    } else if (this._due !== null) {
      this._plan();
    }
    if (this._model.error !== null) {
      this._hasLost = true;
    } else if (this._hasLost) {
      // It may be another server, which has not heard of this page.
      this._hasLost = false;
      this._announce();
    }
  }

  private _plan(): void {
    const now = performance.now();
    let due = Math.max(now, this._last + REPORT_EVERY);
    const { isEnding, warning } = this._model;
    if (isEnding) {
      // It can still be called off.
      due = now;
    } else if (warning?.extendable) {
      const left = this._model.secondsUntil(warning.stops_at) * 1000;
      due = now + Math.min(WHILE_WARNED.wait, left * WHILE_WARNED.part);
    }
    this._due = Math.min(due, this._due ?? Infinity);
    clearTimeout(this._timer);
    this._timer = window.setTimeout(this._report, this._due - now);
  }

  private _report = (): void => {
    this._due = null;
    const now = performance.now();
    this._last = now;
    const ago = (now - (this._input.last ?? now)) / 1000;
    this._send({
      input_seconds_ago: Math.round(ago * 10) / 10,
      ...this._seen()
    });
  };

  /**
   * The server waits for visible pages to save; it has to know which those are.
   */
  private _announce(): void {
    this._send(this._seen());
  }

  private _seen(): { visible: boolean } {
    this._visible = document.visibilityState === 'visible';
    return { visible: this._visible };
  }

  private _onVisibility = (): void => {
    clearTimeout(this._settling);
    this._settling = window.setTimeout(() => {
      if ((document.visibilityState === 'visible') !== this._visible) {
        this._announce();
      }
    }, SETTLED);
  };

  private _onHide = (): void => {
    clearTimeout(this._settling);
    this._send({ closing: true });
  };

  private _onShow = (event: PageTransitionEvent): void => {
    if (event.persisted) {
      this._announce();
    }
  };

  private _send(report: Omit<IPageReport, 'page'>): void {
    this._sink.report({ page: this._page, ...report }).catch(reason => {
      // The model finds out by itself whether the server is there.
      console.debug('A report of this page did not arrive.', reason);
    });
  }

  private _sink: IReportSink;
  private _input: PersonInput;
  private _model: IdleModel;
  private _page = UUID.uuid4();
  private _last = -Infinity;
  private _due: number | null = null;
  private _timer = 0;
  private _settling = 0;
  private _shown = '';
  private _visible = false;
  private _hasLost = false;
  private _isDisposed = false;
}
