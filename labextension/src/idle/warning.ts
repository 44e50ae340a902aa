import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { IdleActions } from './actions';
import { IIdleWarning } from './api';
import { DesktopNotices } from './desktop';
import type { Answer } from './lastWarning';
import { IdleModel } from './model';
import { PageReporter } from './reporter';
import { TitleMark } from './title';
import { headline } from './words';

/** Frames to wait for a notification to stand in the page: a few seconds. */
const FRAMES = 300;

export interface IWarningsOptions {
  model: IdleModel;
  actions: IdleActions;
  reporter: PageReporter;
  desktop: DesktopNotices;
  trans: TranslationBundle;
}

/**
 * Shows the warning of now: a notification, at last a dialog; in the tab's title,
 * and on the desktop where the page is hidden. What is shown is the model's and
 * goes with it, whoever answered where. Lives as long as the page.
 */
export class Warnings {
  constructor(options: IWarningsOptions) {
    this._options = options;
    options.model.changed.connect(this._onChanged, this);
    this._onChanged();
  }

  private _onChanged(): void {
    const { model } = this._options;
    const { warning } = model;
    this._title.set(warning !== null || (model.isEnding && model.end === null));
    if (warning === null || model.end !== null) {
      this._clear();
      return;
    }
    const isNew = warning.id !== this._current;
    this._current = warning.id;
    if (isNew) {
      this._tellDesktop(warning);
    }
    if (warning.last) {
      if (isNew) {
        void this._askLast();
      }
    } else if (isNew || this._isOutdated(warning)) {
      this._notify(warning);
    }
  }

  private _clear(): void {
    this._current = '';
    this._options.desktop.clear();
    this._dismiss();
  }

  private _dismiss(): void {
    if (this._notification !== '') {
      Notification.dismiss(this._notification);
      this._notification = '';
    }
  }

  private _tellDesktop(warning: IIdleWarning): void {
    const { desktop, model, trans } = this._options;
    desktop.tell(headline(warning, model.now, trans), warning.reason);
  }

  private _text(warning: IIdleWarning): string {
    const { model, trans } = this._options;
    return [headline(warning, model.now, trans), warning.reason].join('\n');
  }

  private _isOutdated(warning: IIdleWarning): boolean {
    return this._notification !== '' && this._text(warning) !== this._said;
  }

  /**
   * Each level updates the notification of the one before; who has dismissed
   * that is told anew.
   */
  private _notify(warning: IIdleWarning): void {
    this._said = this._text(warning);
    const options = {
      autoClose: false as const,
      actions: this._offer(warning)
    };
    const wasThere =
      this._notification !== '' &&
      Notification.update({
        id: this._notification,
        message: this._said,
        ...options
      });
    if (!wasThere) {
      this._notification = Notification.warning(this._said, options);
    }
    const id = this._notification;
    this._report(warning, () => document.getElementById(id) !== null);
  }

  private _offer(warning: IIdleWarning): Notification.IAction[] {
    const { actions, trans } = this._options;
    // The notification stays until its warning is no more.
    const action = (
      label: string,
      act: () => Promise<string>,
      displayType: Notification.ActionDisplayType = 'default'
    ): Notification.IAction => ({
      label,
      displayType,
      callback: event => {
        event.preventDefault();
        void act().then(problem => actions.tell(problem));
      }
    });
    const stop = action(trans.__('Save and stop now'), () => actions.stop());
    const why = action(trans.__('Why?'), () => actions.why());
    return warning.extendable
      ? [
          action(
            trans.__("I'm still here"),
            () => actions.stillHere(),
            'accent'
          ),
          action(trans.__('Keep for…'), () => actions.keep()),
          stop,
          why
        ]
      : [stop, why];
  }

  /**
   * Ask until there is an answer that holds. Escape is none: the notification
   * takes over.
   */
  private async _askLast(): Promise<void> {
    if (this._isAsking) {
      return;
    }
    this._isAsking = true;
    try {
      const { askLast } = await import('./lastWarning');
      const { actions, model, trans } = this._options;
      let problem = '';
      for (;;) {
        const { warning } = model;
        if (!warning?.last || model.end !== null) {
          return;
        }
        this._dismiss();
        const asked = askLast(model, problem, trans);
        this._report(
          warning,
          () => document.querySelector('.jp-mlinfn-Modal[open]') !== null
        );
        const answer = await asked;
        if (answer === 'later') {
          if (model.warning !== null) {
            this._notify(model.warning);
          }
          return;
        }
        problem = await this._act(answer, actions);
      }
    } finally {
      this._isAsking = false;
    }
  }

  private async _act(answer: Answer, actions: IdleActions): Promise<string> {
    switch (answer) {
      case 'here':
        return actions.stillHere();
      case 'keep':
        return actions.keep();
      case 'stop':
        return actions.stop();
      case 'why':
        return actions.why();
      default:
        return '';
    }
  }

  /**
   * Tell the server that a person can have seen it: once it stands in a page
   * that is visible. Frames are drawn in such pages only, and where the user
   * wants no notifications there is nothing to be seen.
   */
  private _report({ id }: IIdleWarning, isThere: () => boolean): void {
    const { model, reporter } = this._options;
    let frames = 0;
    const look = (): void => {
      if (model.warning?.id !== id) {
        return;
      }
      if (document.visibilityState === 'visible' && isThere()) {
        reporter.shown(id);
      } else if (frames++ < FRAMES) {
        requestAnimationFrame(look);
      }
    };
    requestAnimationFrame(look);
  }

  private _options: IWarningsOptions;
  private _title = new TitleMark();
  private _current = '';
  private _notification = '';
  private _said = '';
  private _isAsking = false;
}
