import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { MlinfnError } from '../api';
import { inWords } from '../errorView';
import { DesktopNotices } from './desktop';
import { IdleModel } from './model';
import { describeKept, outlook } from './words';

export namespace CommandIDs {
  export const keep = 'jupyter-mlinfn:keep-server';
  export const why = 'jupyter-mlinfn:why-stop';
}

/**
 * What a person can answer to a warning, or ask for at any time.
 *
 * Those that can fail resolve with what went wrong, in words; '' where nothing did.
 */
export class IdleActions {
  constructor(
    model: IdleModel,
    desktop: DesktopNotices,
    trans: TranslationBundle
  ) {
    this._model = model;
    this._desktop = desktop;
    this._trans = trans;
  }

  /**
   * Say that somebody is here.
   */
  async stillHere(): Promise<string> {
    try {
      const answer = await this._model.keepAlive();
      if (answer.warning === null) {
        this._tellKept(outlook(answer, this._model.now, this._trans));
      }
      return '';
    } catch (thrown) {
      return this._describe(thrown);
    }
  }

  /**
   * Ask for how long, and keep this server that long.
   */
  async keep(): Promise<string> {
    const { askHowLong } = await import('./keep');
    if (this._model.answer === null) {
      await this._model.refresh();
    }
    const { answer, error } = this._model;
    if (answer === null) {
      return this._describe(error);
    }
    const seconds = await askHowLong(this._model, this._trans);
    if (seconds === null) {
      return '';
    }
    try {
      const kept = await this._model.keepAlive(seconds);
      this._tellKept(describeKept(kept, seconds, this._model.now, this._trans));
      return '';
    } catch (thrown) {
      return this._describe(thrown);
    }
  }

  /**
   * Name what is lost; then have all pages save, and this server stopped.
   */
  async stop(): Promise<string> {
    const { confirmStop } = await import('./stopDialog');
    if (!(await confirmStop(this._model, this._trans))) {
      return '';
    }
    try {
      await this._model.stop();
      return '';
    } catch (thrown) {
      return this._describe(thrown);
    }
  }

  /**
   * Show what counts as use, and what stops this server.
   */
  async why(): Promise<string> {
    const trans = this._trans;
    const [{ Why }] = await Promise.all([
      import('./why'),
      this._model.refresh()
    ]);
    if (this._model.answer === null) {
      return this._describe(this._model.error);
    }
    const keep = Dialog.createButton({
      label: trans.__('Keep for…'),
      accept: true,
      actions: ['keep']
    });
    const close = Dialog.createButton({
      label: trans.__('Close'),
      accept: false
    });
    const buttons = this._canKeep ? [close, keep] : [close];
    const { button } = await showDialog({
      title: trans.__('Why will this server stop?'),
      body: new Why(this._model, this._desktop, trans),
      hasClose: true,
      defaultButton: 0,
      buttons
    });
    return button.actions.includes('keep') ? this.keep() : '';
  }

  /**
   * Say what went wrong, where no dialog does.
   */
  tell(problem: string): void {
    if (problem) {
      Notification.error(problem, { autoClose: false });
    }
  }

  private get _canKeep(): boolean {
    return (
      !this._model.isEnding && (this._model.answer?.next?.extendable ?? false)
    );
  }

  /**
   * This is when a person is there: offer what reaches them elsewhere.
   */
  private _tellKept(message: string): void {
    const trans = this._trans;
    const offer = this._desktop.canAsk;
    Notification.success(message, {
      autoClose: offer ? 15000 : 8000,
      actions: offer
        ? [
            {
              label: trans.__('Next time on the desktop too'),
              caption: trans.__(
                'Also tell me by a notification of the desktop when this tab is hidden'
              ),
              callback: () => void this._desktop.ask()
            }
          ]
        : []
    });
  }

  private _describe(thrown: unknown): string {
    const { message, reason, hint } = inWords(
      MlinfnError.from(thrown),
      this._trans
    );
    return [message, reason, hint].filter(part => part).join(' ');
  }

  private _model: IdleModel;
  private _desktop: DesktopNotices;
  private _trans: TranslationBundle;
}
