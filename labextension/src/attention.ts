import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

const INPUT = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'];
const LISTEN = { capture: true, passive: true };

/**
 * A person's input in this page: pointer, keys, wheel, touch.
 *
 * What scripts dispatch is not input, nor what a browser makes up: pointer
 * moves when the page changes under a pointer that rests, and the repetition
 * of a key that something lies upon.
 */
export class PersonInput implements IDisposable {
  /**
   * @param isReal tells the input of a person from what a script dispatches
   */
  constructor(isReal: (event: Event) => boolean = event => event.isTrusted) {
    this._isReal = isReal;
    for (const name of INPUT) {
      window.addEventListener(name, this._onEvent, LISTEN);
    }
  }

  /**
   * That of this page, which listens once for all who want to know.
   */
  static ofPage(): PersonInput {
    PersonInput._ofPage ??= new PersonInput();
    return PersonInput._ofPage;
  }

  /**
   * When there was input last, in milliseconds of `performance.now()`; null for never.
   */
  get last(): number | null {
    return this._last;
  }

  /**
   * Emitted at every input: what listens has to be quick.
   */
  get happened(): ISignal<this, void> {
    return this._happened;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    for (const name of INPUT) {
      window.removeEventListener(name, this._onEvent, LISTEN);
    }
    Signal.clearData(this);
  }

  private _onEvent = (event: Event): void => {
    if (this._isReal(event) && !this._isMadeUp(event)) {
      this._last = performance.now();
      this._happened.emit();
    }
  };

  private _isMadeUp(event: Event): boolean {
    if (event.type === 'keydown') {
      return (event as KeyboardEvent).repeat === true;
    }
    if (event.type !== 'pointermove') {
      return false;
    }
    const { screenX, screenY } = event as PointerEvent;
    const isResting = screenX === this._x && screenY === this._y;
    this._x = screenX;
    this._y = screenY;
    return isResting;
  }

  private static _ofPage: PersonInput | null = null;
  private _isReal: (event: Event) => boolean;
  private _last: number | null = null;
  private _x = NaN;
  private _y = NaN;
  private _isDisposed = false;
  private _happened = new Signal<this, void>(this);
}
