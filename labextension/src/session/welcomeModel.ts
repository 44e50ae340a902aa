import { ISignal, Signal } from '@lumino/signaling';

import { IStopped } from './api';

/**
 * What the model needs of the REST calls.
 */
export interface IWelcomeSource {
  welcome(): Promise<IStopped | null>;
  dismiss(): Promise<void>;
}

/**
 * The end before this start, until somebody has seen it.
 */
export class WelcomeModel {
  constructor(source: IWelcomeSource) {
    this._source = source;
  }

  /**
   * null where there is nothing to tell, or not any more.
   */
  get stopped(): IStopped | null {
    return this._stopped;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /**
   * Read it, at the start.
   */
  async read(): Promise<void> {
    let found: IStopped | null;
    try {
      found = await this._source.welcome();
    } catch (reason) {
      // It is shown at the next start of a page.
      console.debug('What was before this start could not be read.', reason);
      return;
    }
    if (!this._isDismissed) {
      this._set(found);
    }
  }

  /**
   * Somebody may have dismissed it in another page.
   */
  async readIfShown(): Promise<void> {
    if (this._stopped !== null) {
      await this.read();
    }
  }

  /**
   * It was seen.
   */
  async dismiss(): Promise<void> {
    this._isDismissed = true;
    this._set(null);
    try {
      await this._source.dismiss();
    } catch (reason) {
      console.warn('The card will be shown again at the next start.', reason);
    }
  }

  private _set(stopped: IStopped | null): void {
    this._stopped = stopped;
    this._changed.emit();
  }

  private _source: IWelcomeSource;
  private _stopped: IStopped | null = null;
  private _isDismissed = false;
  private _changed = new Signal<this, void>(this);
}
