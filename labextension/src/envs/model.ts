import { MlinfnError } from '../api';
import { CoalescedRead } from '../coalesce';
import { Observable } from '../observable';
import { IEnvironment, IEnvironmentList, IPlaces } from './api';
import { ICuda } from './cudaApi';

/**
 * The environments and the places they live in, as the server last told.
 */
export class EnvsModel extends Observable {
  /**
   * @param read lists the environments
   */
  constructor(read: () => Promise<IEnvironmentList>) {
    super();
    this._read = new CoalescedRead(async () => {
      try {
        this._list = await read();
        this._error = null;
      } catch (thrown) {
        this._error = MlinfnError.from(thrown);
      }
      if (!this.isDisposed) {
        this.emitChanged();
      }
    });
  }

  /**
   * null until the server has answered.
   */
  get environments(): ReadonlyArray<IEnvironment> | null {
    return this._list?.environments ?? null;
  }

  get places(): IPlaces | null {
    return this._list?.places ?? null;
  }

  /**
   * For which CUDA packages are chosen; null until the server has answered.
   */
  get cuda(): ICuda | null {
    return this._list?.cuda ?? null;
  }

  get warnings(): ReadonlyArray<string> {
    return this._list?.warnings ?? [];
  }

  /**
   * What the last read failed with; what was read before it is kept.
   */
  get error(): MlinfnError | null {
    return this._error;
  }

  get(id: string): IEnvironment | undefined {
    return this._list?.environments.find(env => env.id === id);
  }

  /**
   * Read again; never more than one request at a time.
   */
  refresh(): Promise<void> {
    return this._read.request();
  }

  private _read: CoalescedRead;
  private _list: IEnvironmentList | null = null;
  private _error: MlinfnError | null = null;
}

/**
 * A label that no environment has yet: myenv, myenv 2, …
 */
export function freeLabel(taken: ReadonlyArray<string>, base: string): string {
  const used = new Set(taken.map(label => label.toLowerCase()));
  let label = base;
  for (let count = 2; used.has(label.toLowerCase()); count++) {
    label = `${base}-${count}`;
  }
  return label;
}
