import { PersonInput } from '../attention';
import { Observable } from '../observable';

/**
 * After this long without input, in milliseconds, nobody is taken to look.
 */
export const IDLE_AFTER = 5 * 60 * 1000;

/**
 * Whether somebody can be looking at this page: it is visible, and there was
 * input of a person within the last five minutes. Opening the page is such.
 */
export class Attention extends Observable {
  constructor(input: PersonInput) {
    super();
    this._input = input;
    this._opened = performance.now();
    this._given = this._isGiven();
    input.happened.connect(this._onInput, this);
    document.addEventListener('visibilitychange', this._onVisibility);
    this._watch();
  }

  get given(): boolean {
    return this._given;
  }

  protected onDispose(): void {
    clearTimeout(this._timer);
    this._input.happened.disconnect(this._onInput, this);
    document.removeEventListener('visibilitychange', this._onVisibility);
  }

  /**
   * Milliseconds until nobody is taken to look any more.
   */
  private get _left(): number {
    const last = this._input.last ?? this._opened;
    return Math.max(last, this._opened) + IDLE_AFTER - performance.now();
  }

  private _isGiven(): boolean {
    return document.visibilityState === 'visible' && this._left > 0;
  }

  private _update(): void {
    const given = this._isGiven();
    if (given !== this._given) {
      this._given = given;
      this.emitChanged();
    }
  }

  /**
   * One timer that is set anew when it is due, not at every move of the pointer.
   */
  private _watch(): void {
    clearTimeout(this._timer);
    const left = this._left;
    if (left > 0) {
      this._timer = window.setTimeout(() => {
        this._update();
        this._watch();
      }, left);
    }
  }

  private _onInput(): void {
    if (!this._given) {
      this._update();
      this._watch();
    }
  }

  private _onVisibility = (): void => this._update();

  private _input: PersonInput;
  private _opened: number;
  private _given: boolean;
  private _timer = 0;
}
