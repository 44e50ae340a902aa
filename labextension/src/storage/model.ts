import { PathExt } from '@jupyterlab/coreutils';
import { ISignal, Signal } from '@lumino/signaling';

import { IPlace } from './api';

/**
 * More folders than these are not remembered.
 */
const MOST = 500;

/**
 * What folders lie on: asked once for each, until something has changed.
 */
export class Places {
  /**
   * @param read asks the server what a path lies on
   */
  constructor(read: (path: string) => Promise<IPlace>) {
    this._read = read;
  }

  /**
   * What was last told of a folder; null where it was never asked.
   */
  known(folder: string): IPlace | null {
    return this._told.get(folder) ?? null;
  }

  /**
   * @throws MlinfnError where the server does not tell
   */
  get(folder: string): Promise<IPlace> {
    let asked = this._asked.get(folder);
    if (!asked) {
      asked = this._read(folder).then(
        place => {
          this._told.set(folder, place);
          return place;
        },
        thrown => {
          if (this._asked.get(folder) === asked) {
            this._asked.delete(folder);
          }
          throw thrown;
        }
      );
      if (this._asked.size >= MOST) {
        this._asked.clear();
        this._told.clear();
      }
      this._asked.set(folder, asked);
    }
    return asked;
  }

  /**
   * Ask again whoever is looked at next; what was told stays until then.
   */
  forget(): void {
    this._asked.clear();
    this._forgotten.emit();
  }

  get forgotten(): ISignal<this, void> {
    return this._forgotten;
  }

  private _read: (path: string) => Promise<IPlace>;
  private _asked = new Map<string, Promise<IPlace>>();
  private _told = new Map<string, IPlace>();
  private _forgotten = new Signal<this, void>(this);
}

/**
 * Where a file or folder goes below the one that lasts; null where JupyterLab does not show that.
 *
 * It keeps its path, so that files of two folders stay apart.
 */
export function destination(path: string, place: IPlace): string | null {
  const base = place.private?.root_path ?? null;
  if (base === null) {
    return null;
  }
  // What lies within it, on another volume, would go to where it is.
  const relative = isWithin(path, base) ? PathExt.basename(path) : path;
  return PathExt.join(base, relative);
}

/**
 * Whether a path is the folder, or lies below it; '' is above all.
 */
export function isWithin(path: string, folder: string): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`);
}
