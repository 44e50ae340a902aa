import { Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { Contents } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';

import { IPlace } from './api';
import { Places } from './model';
import { Mover } from './move';
import { describeNotLasting, nameOfPrivate } from './words';

/** Milliseconds in which several files make one notification. */
const TOGETHER = 400;

export interface INoticesOptions {
  contents: Contents.IManager;
  places: Places;
  mover: Pick<Mover, 'move'>;
  /** Whether a file is open as a document. */
  isOpen: (path: string) => boolean;
  /** The user's setting. */
  isWanted: () => boolean;
  /** Change it. */
  sayNoMore: () => void;
  /** Show what lasts. */
  open: () => void;
  trans: TranslationBundle;
}

/**
 * Says once of each document in a folder that does not last that it is in one.
 *
 * There is one notification for all that are not answered yet.
 */
export class Notices {
  constructor(options: INoticesOptions) {
    this._options = options;
    options.contents.fileChanged.connect(this._onFileChanged, this);
  }

  /**
   * A file was made or saved in such a folder.
   *
   * @param isNew what is saved without being open was uploaded: of that nothing is said
   */
  add(path: string, isNew: boolean): void {
    if (this._told.has(path)) {
      return;
    }
    this._next.set(path, isNew || this._next.get(path) === true);
    if (this._timer === 0) {
      this._timer = window.setTimeout(() => {
        this._timer = 0;
        this._flush();
      }, TOGETHER);
    }
  }

  private _flush(): void {
    const { isOpen, isWanted } = this._options;
    const next = Array.from(this._next)
      .filter(([path, isNew]) => isNew || isOpen(path))
      .map(([path]) => path);
    this._next.clear();
    if (!isWanted() || next.length === 0) {
      return;
    }
    next.forEach(path => this._told.add(path));
    this._show(Array.from(new Set([...this._unanswered, ...next])), next);
  }

  /**
   * @param all those that are not answered yet, as far as somebody can still answer
   * @param next those that are new among them
   */
  private _show(all: string[], next: string[]): void {
    const { message, actions } = this._content(all);
    const options = { autoClose: false as const, actions };
    if (
      this._id !== '' &&
      Notification.update({ id: this._id, message, ...options })
    ) {
      this._unanswered = all;
      return;
    }
    if (next.length > 0) {
      this._unanswered = next;
      const fresh = this._content(next);
      this._id = Notification.warning(fresh.message, {
        ...options,
        actions: fresh.actions
      });
    }
  }

  private _content(paths: string[]): {
    message: string;
    actions: Notification.IAction[];
  } {
    const { mover, open, sayNoMore, trans } = this._options;
    const folder = this._placeOf(paths[0])?.private ?? null;
    const canMove = folder !== null && folder.root_path !== null;
    const answered = (work?: () => void) => (): void => {
      this._id = '';
      this._unanswered = [];
      work?.();
    };
    const first: Notification.IAction = canMove
      ? {
          label: trans.__('Move to %1', nameOfPrivate(folder)),
          displayType: 'accent',
          callback: answered(() => void mover.move(paths))
        }
      : {
          label: trans.__('What lasts…'),
          displayType: 'accent',
          callback: answered(open)
        };
    const outside =
      folder === null
        ? trans.__('No folder is known that lasts.')
        : trans.__(
            '%1 lasts, but JupyterLab does not show it: from here files can only be kept there as a copy.',
            folder.path
          );
    const said = describeNotLasting(paths, trans);
    return {
      message: canMove ? said : `${said} ${outside}`,
      actions: [
        first,
        { label: trans.__('Not now'), callback: answered() },
        {
          label: trans.__("Don't say this again"),
          displayType: 'link',
          callback: answered(sayNoMore)
        }
      ]
    };
  }

  private _placeOf(path: string): IPlace | null {
    return this._options.places.known(PathExt.dirname(path));
  }

  /**
   * What was said of a document goes with it, and ends where it has gone.
   */
  private _onFileChanged(_: unknown, change: Contents.IChangedArgs): void {
    const from = change.oldValue?.path;
    if (from === undefined) {
      return;
    }
    const to = change.type === 'rename' ? change.newValue?.path : undefined;
    if (change.type === 'rename' || change.type === 'delete') {
      if (this._told.delete(from) && to !== undefined) {
        this._told.add(to);
      }
      this._next.delete(from);
      if (this._unanswered.includes(from)) {
        this._drop(from, to);
      }
    }
  }

  /**
   * A document of which is spoken is another, or none any more.
   */
  private _drop(from: string, to: string | undefined): void {
    // Where it has only another name it is still to be moved.
    const stays =
      to !== undefined && this._placeOf(to)?.persistence === 'ephemeral';
    const left = stays
      ? this._unanswered.map(path => (path === from ? to : path))
      : this._unanswered.filter(path => path !== from);
    if (left.length > 0) {
      this._show(left, []);
    } else {
      Notification.dismiss(this._id);
      this._id = '';
    }
    this._unanswered = left;
  }

  private _options: INoticesOptions;
  private _told = new Set<string>();
  private _next = new Map<string, boolean>();
  private _unanswered: string[] = [];
  private _id = '';
  private _timer = 0;
}
