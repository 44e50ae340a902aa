import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

/**
 * After this long without input, in milliseconds, nobody is taken to look.
 */
export const IDLE_AFTER = 5 * 60 * 1000;

const INPUT = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'];

/**
 * Whether somebody can be looking at this page: it is visible, and there was
 * input of a person within the last five minutes. Opening the page is such.
 */
export class Attention implements IDisposable {
  /**
   * @param isReal tells the input of a person from what a script dispatches
   */
  constructor(isReal: (event: Event) => boolean = event => event.isTrusted) {
    this._isReal = isReal;
    this._lastInput = Date.now();
    this._given = this._isGiven();
    for (const name of INPUT) {
      window.addEventListener(name, this._onInput, LISTEN);
    }
    document.addEventListener('visibilitychange', this._onVisibility);
    this._watch();
  }

  get given(): boolean {
    return this._given;
  }

  /**
   * Emitted when it is given, or given no more.
   */
  get changed(): ISignal<this, void> {
    return this._changed;
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
    for (const name of INPUT) {
      window.removeEventListener(name, this._onInput, LISTEN);
    }
    document.removeEventListener('visibilitychange', this._onVisibility);
    Signal.clearData(this);
  }

  private _isGiven(): boolean {
    return (
      document.visibilityState === 'visible' &&
      Date.now() - this._lastInput < IDLE_AFTER
    );
  }

  private _update(): void {
    const given = this._isGiven();
    if (given !== this._given) {
      this._given = given;
      this._changed.emit();
    }
  }

  /**
   * One timer that is set anew when it is due, not at every move of the pointer.
   */
  private _watch(): void {
    clearTimeout(this._timer);
    const left = this._lastInput + IDLE_AFTER - Date.now();
    if (left > 0) {
      this._timer = window.setTimeout(() => {
        this._update();
        this._watch();
      }, left);
    }
  }

  private _onInput = (event: Event): void => {
    if (!this._isReal(event)) {
      return;
    }
    this._lastInput = Date.now();
    if (!this._given) {
      this._update();
      this._watch();
    }
  };

  private _onVisibility = (): void => this._update();

  private _isReal: (event: Event) => boolean;
  private _lastInput: number;
  private _given: boolean;
  private _timer = 0;
  private _isDisposed = false;
  private _changed = new Signal<this, void>(this);
}

const LISTEN = { capture: true, passive: true };
