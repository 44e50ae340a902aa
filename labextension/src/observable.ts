import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

/**
 * Something that says when what it tells is another, until it is disposed of.
 */
export abstract class Observable implements IDisposable {
  /**
   * Emitted when what this tells may be another, or could not be read.
   */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this.onDispose();
      Signal.clearData(this);
    }
  }

  protected emitChanged(): void {
    this._changed.emit();
  }

  /**
   * To be overridden by who holds more than listeners; called once.
   */
  protected onDispose(): void {
    // Nothing but listeners is held.
  }

  private _isDisposed = false;
  private _changed = new Signal<this, void>(this);
}
