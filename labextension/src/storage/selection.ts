import { ISignal, Signal } from '@lumino/signaling';

import { IChosen, IEphemeral } from './api';

/**
 * A file or a folder of which is known how much it holds.
 */
export interface ISelectable {
  path: string;
  files: number;
  bytes: number;
}

/**
 * Which of the files are to be kept: all at first.
 *
 * There may be many more than are listed. So it is all but some, or, once all
 * were unticked, only some. What is decided for a folder holds for all in it.
 */
export class Selection {
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  isChosen(path: string): boolean {
    return this._isListed(path) !== this._all;
  }

  /**
   * Whether it is decided by a folder above.
   */
  isDecided(path: string): boolean {
    return this._above(path);
  }

  toggle(item: ISelectable): void {
    if (!this._other.delete(item.path)) {
      // What was decided for what is in it is decided with it now.
      for (const path of Array.from(this._other.keys())) {
        if (isBelow(path, item.path)) {
          this._other.delete(path);
        }
      }
      this._other.set(item.path, item);
    }
    this._changed.emit();
  }

  /**
   * Choose all, or none.
   */
  setAll(all: boolean): void {
    this._all = all;
    this._other.clear();
    this._changed.emit();
  }

  /**
   * Whether all is chosen; null where it is some.
   */
  get isAll(): boolean | null {
    return this._other.size === 0 ? this._all : null;
  }

  /**
   * How much is chosen, of what was counted.
   */
  chosenOf(ephemeral: IEphemeral): { files: number; bytes: number } {
    const others = Array.from(this._other.values());
    const files = others.reduce((sum, item) => sum + item.files, 0);
    const bytes = others.reduce((sum, item) => sum + item.bytes, 0);
    return this._all
      ? {
          files: Math.max(0, ephemeral.files - files),
          bytes: Math.max(0, ephemeral.bytes - bytes)
        }
      : { files, bytes };
  }

  /**
   * As the server is told.
   */
  get request(): IChosen {
    const other = Array.from(this._other.keys());
    if (!this._all) {
      return { paths: other };
    }
    return other.length === 0
      ? { paths: null }
      : { paths: null, except: other };
  }

  private _isListed(path: string): boolean {
    return this._other.has(path) || this._above(path);
  }

  private _above(path: string): boolean {
    return Array.from(this._other.keys()).some(other => isBelow(path, other));
  }

  private _all = true;
  private _other = new Map<string, ISelectable>();
  private _changed = new Signal<this, void>(this);
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}
