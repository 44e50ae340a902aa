import { ReactWidget } from '@jupyterlab/ui-components';
import { ISignal, Signal } from '@lumino/signaling';

/**
 * A status bar item that is there only at times.
 */
export abstract class StatusItem extends ReactWidget {
  /**
   * Whether there is something to show.
   */
  abstract get isActive(): boolean;

  get activeChanged(): ISignal<this, void> {
    return this._activeChanged;
  }

  /**
   * To be called when what `isActive` depends on may be another.
   */
  protected onChanged(): void {
    const isActive = this.isActive;
    if (isActive !== this._wasActive) {
      this._wasActive = isActive;
      this._activeChanged.emit();
    }
  }

  private _wasActive = false;
  private _activeChanged = new Signal<this, void>(this);
}
