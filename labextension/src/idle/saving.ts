import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { IdleActions } from './actions';
import { ISaved } from './api';
import { IdleModel } from './model';
import { PageReporter } from './reporter';

/** Milliseconds that the answer needs to arrive in time. */
const SPARE = 1500;

export interface ISaverOptions {
  model: IdleModel;
  actions: IdleActions;
  reporter: PageReporter;
  /** @param timeout milliseconds */
  saveAll: (timeout: number) => Promise<ISaved>;
  trans: TranslationBundle;
}

/**
 * Saves this page's documents when the server is about to stop, and answers.
 */
export class Saver {
  constructor(options: ISaverOptions) {
    this._options = options;
    options.model.changed.connect(this._onChanged, this);
    this._onChanged();
  }

  /**
   * What the last saving has done; null before.
   */
  get saved(): ISaved | null {
    return this._saved;
  }

  private _onChanged(): void {
    const { answer, end, isEnding } = this._options.model;
    if (!isEnding || end !== null) {
      this._over();
      return;
    }
    if (answer?.phase === 'saving' && answer.save_by !== this._saving) {
      this._saving = answer.save_by;
      void this._save(answer.save_by);
    } else if (answer?.phase !== 'saving') {
      this._tell();
    }
  }

  private async _save(saveBy: string | null): Promise<void> {
    const { model, reporter, saveAll } = this._options;
    this._saved = null;
    this._tell();
    const left = saveBy === null ? 0 : model.secondsUntil(saveBy) * 1000;
    this._saved = await saveAll(Math.max(SPARE, left - SPARE));
    this._tell();
    try {
      await reporter.saved(this._saved);
    } catch (reason) {
      // The server stops without waiting longer; what is saved is saved.
      console.warn('The server was not told what this page saved.', reason);
    }
  }

  /**
   * Say what goes on; the same notification tells of saving and of the stop.
   */
  private _tell(): void {
    const { actions, model, trans } = this._options;
    if (!model.isEnding) {
      return;
    }
    const message = describe(
      this._saved,
      trans,
      model.answer?.phase === 'rescuing'
    );
    const canStay = model.answer?.phase !== 'stopping' && !model.wasAsked;
    const options = {
      autoClose: false as const,
      actions: canStay
        ? [
            {
              label: trans.__("I'm still here"),
              displayType: 'accent' as const,
              callback: (event: MouseEvent) => {
                event.preventDefault();
                void actions.stillHere().then(problem => actions.tell(problem));
              }
            }
          ]
        : []
    };
    const type = this._saved?.failed.length ? 'error' : 'info';
    if (type !== this._type) {
      // What a notification looks like stays as it was made.
      this._dismiss();
      this._type = type;
    }
    if (
      this._notification === '' ||
      !Notification.update({
        id: this._notification,
        message,
        type,
        ...options
      })
    ) {
      this._notification = Notification.emit(message, type, options);
    }
  }

  /**
   * It was called off, or the server is gone.
   */
  private _over(): void {
    this._saving = '';
    this._dismiss();
  }

  private _dismiss(): void {
    if (this._notification !== '') {
      Notification.dismiss(this._notification);
      this._notification = '';
    }
  }

  private _options: ISaverOptions;
  private _saving: string | null = '';
  private _saved: ISaved | null = null;
  private _notification = '';
  private _type: Notification.TypeOptions = 'info';
}

/**
 * What was saved, and what was not: never that all is well where it is not.
 */
export function describe(
  saved: ISaved | null,
  trans: TranslationBundle,
  isRescuing = false
): string {
  if (isRescuing && !saved?.failed.length) {
    return trans.__(
      'This server is being stopped. Files that would be lost are copied to your storage first.'
    );
  }
  if (saved === null) {
    return trans.__(
      'This server is being stopped. Your documents are saved first.'
    );
  }
  const { documents, failed } = saved;
  if (failed.length > 0) {
    const [{ path, reason }] = failed;
    const first = trans.__('%1 is not saved: %2', nameOf(path), reason);
    return failed.length === 1
      ? first
      : trans.__('%1 And %2 more.', first, String(failed.length - 1));
  }
  return documents.length === 0
    ? trans.__('This server is being stopped. Nothing was left to save.')
    : trans.__(
        'This server is being stopped. Saved: %1.',
        documents.map(nameOf).join(', ')
      );
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
