import { MlinfnError } from '../api';
import { CoalescedRead } from '../coalesce';
import { Observable } from '../observable';
import { IStorageAnswer } from './api';

/**
 * What the model needs of the REST calls.
 */
export interface IStorageSource {
  read(): Promise<IStorageAnswer>;
  count(): Promise<IStorageAnswer>;
}

/**
 * What lasts and what would be lost, as the server last told: read while somebody looks, and
 * then when the server says that there is more to read.
 */
export class StorageModel extends Observable {
  constructor(source: IStorageSource) {
    super();
    this._source = source;
    this._read = new CoalescedRead(() => this._take(() => source.read()));
  }

  /**
   * null until the server has answered.
   */
  get answer(): IStorageAnswer | null {
    return this._answer;
  }

  /**
   * What the last read failed with; what was read before it is kept.
   */
  get error(): MlinfnError | null {
    return this._error;
  }

  /**
   * Say whether it is looked at; who begins to look sees the state of now.
   */
  async setShown(isShown: boolean): Promise<void> {
    if (isShown === this._isShown) {
      return;
    }
    this._isShown = isShown;
    if (isShown && (this._isStale || this._answer === null)) {
      await this.refresh();
      // Nothing is counted where nobody asks.
      if (this._answer?.ephemeral.state === 'unknown') {
        await this.count();
      }
    }
  }

  /**
   * Read again because something has changed on the server; later where nobody looks.
   */
  async refresh(): Promise<void> {
    this._isStale = !this._isShown;
    if (this._isShown) {
      await this._read.request();
    }
  }

  /**
   * Have the files counted anew.
   */
  async count(): Promise<void> {
    await this._take(() => this._source.count());
    // The count may have ended between the answer and now.
    await this._read.request();
  }

  private async _take(ask: () => Promise<IStorageAnswer>): Promise<void> {
    try {
      this._answer = await ask();
      this._error = null;
    } catch (thrown) {
      this._error = MlinfnError.from(thrown);
      this._isStale = true;
    }
    if (!this.isDisposed) {
      this.emitChanged();
    }
  }

  private _source: IStorageSource;
  private _read: CoalescedRead;
  private _answer: IStorageAnswer | null = null;
  private _error: MlinfnError | null = null;
  private _isShown = false;
  private _isStale = false;
}
