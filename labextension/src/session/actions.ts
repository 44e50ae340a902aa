import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';

import { MlinfnError } from '../api';
import { inWords } from '../errorView';
import { CommandIDs as GpuCommandIDs } from '../gpu/actions';
import { IPageDocuments } from '../idle/tokens';
import { SessionModel } from './model';
import { Parting } from './parting';
import { inList } from './words';

/** Of the storage room: shows files that would be lost. */
const OPEN_STORAGE = 'jupyter-mlinfn:open-storage';

export interface ISessionActionsOptions {
  commands: CommandRegistry;
  documents: IPageDocuments;
  model: SessionModel;
  parting: Parting;
  trans: TranslationBundle;
}

/**
 * What the status bar, the menu and the palette offer.
 */
export class SessionActions {
  constructor(options: ISessionActionsOptions) {
    this._options = options;
  }

  /**
   * Make the dialog ready, so that it opens at once.
   */
  async load(): Promise<void> {
    await import('./dialog');
  }

  /**
   * Show what would be given back and what would be lost; then do what is chosen.
   */
  async free(): Promise<void> {
    const { commands, documents, model, parting, trans } = this._options;
    if (parting.isParting || model.isStopping) {
      parting.show();
      return;
    }
    if (this._isAsking) {
      return;
    }
    this._isAsking = true;
    try {
      const { askToFree } = await import('./dialog');
      // What fails is told in the dialog.
      void model.survey();
      const chosen = await askToFree({
        model,
        documents,
        canFreeGpu: () => commands.isEnabled(GpuCommandIDs.free),
        canShow: commands.hasCommand(OPEN_STORAGE),
        trans
      });
      if (chosen === 'gpu') {
        await commands.execute(GpuCommandIDs.free);
      } else if (chosen === 'show') {
        await commands.execute(OPEN_STORAGE);
      } else if (chosen === 'waiting') {
        this._tellWaiting();
      }
    } finally {
      this._isAsking = false;
    }
  }

  /**
   * Call off a stop that waits.
   */
  async callOff(): Promise<void> {
    const { model, trans } = this._options;
    try {
      await model.callOff();
      Notification.success(trans.__('This server is not stopped.'), {
        autoClose: 5000
      });
    } catch (thrown) {
      const told = inWords(MlinfnError.from(thrown), trans);
      Notification.error(
        [told.message, told.reason, told.hint].filter(part => part).join(' '),
        { autoClose: false }
      );
    }
  }

  private _tellWaiting(): void {
    const { model, trans } = this._options;
    const stop = model.answer?.stop;
    if (stop?.phase === 'waiting') {
      Notification.info(
        trans.__(
          'This server stops when %1 has finished. You can close this page.',
          inList(stop.waits_for, trans)
        ),
        { autoClose: 10000 }
      );
    }
  }

  private _options: ISessionActionsOptions;
  private _isAsking = false;
}
