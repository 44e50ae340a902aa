import { Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { Contents, ServerConnection } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';

import { IStorageAnswer } from './api';
import { destination, isWithin, Places } from './model';
import { nameOfPrivate, nameOfVolume } from './words';

/** Names that are tried before it is given up. */
const TRIES = 100;

/** Milliseconds after which it is told that something is being moved. */
const PATIENCE = 1000;

export interface IMoverOptions {
  contents: Contents.IManager;
  places: Places;
  /** What is mounted where. */
  storage: () => Promise<Pick<IStorageAnswer, 'volumes'>>;
  documents: IMovedDocuments;
  trans: TranslationBundle;
}

/**
 * What a move needs of the open documents.
 */
export interface IMovedDocuments {
  settle(path: string): Promise<string>;
  follows(from: string, to: string): boolean;
  tellKernels(from: string, to: string): Promise<void>;
}

export interface IMoved {
  from: string;
  to: string;
}

/**
 * Moves files and folders to what lasts, and back. Nothing is ever overwritten.
 */
export class Mover {
  constructor(options: IMoverOptions) {
    this._options = options;
  }

  /**
   * Move and tell what became of it, with a way back.
   */
  async move(paths: string[]): Promise<void> {
    const { trans } = this._options;
    const moved: IMoved[] = [];
    let busy = '';
    const timer = setTimeout(() => {
      busy = Notification.emit(trans.__('Moving…'), 'in-progress', {
        autoClose: false
      });
    }, PATIENCE);
    for (const path of paths) {
      const to = await this._try(path, () => this._moveOne(path));
      if (to !== null) {
        moved.push({ from: path, to });
      }
    }
    clearTimeout(timer);
    if (busy !== '') {
      Notification.dismiss(busy);
    }
    if (moved.length > 0) {
      this._tell(moved);
    }
  }

  private async _undo(moved: IMoved[]): Promise<void> {
    const { trans } = this._options;
    for (const { from, to } of moved) {
      const back = await this._try(to, () => this._rename(to, from));
      if (back !== null) {
        Notification.info(trans.__('Moved back to %1', back), {
          autoClose: 5000
        });
      }
    }
  }

  /**
   * @throws Error with a sentence where it cannot be moved
   */
  private async _moveOne(path: string): Promise<string> {
    const { contents, places, trans } = this._options;
    const { type } = await contents.get(path, { content: false });
    const isFolder = type === 'directory';
    const place = await places.get(PathExt.dirname(path));
    if (place.persistence !== 'ephemeral') {
      throw new Error(trans.__('It lies in a folder that lasts already.'));
    }
    const to = destination(path, place);
    if (to === null) {
      throw new Error(
        trans.__('JupyterLab does not show a folder that lasts.')
      );
    }
    if (isFolder) {
      await this._checkFolder(path, to);
    }
    return this._rename(path, to);
  }

  /**
   * The server moves between file systems by copying and deleting: never across a mount.
   */
  private async _checkFolder(path: string, to: string): Promise<void> {
    const { places, storage, trans } = this._options;
    const [within, { volumes }] = await Promise.all([
      places.get(path),
      storage()
    ]);
    const mounted = volumes.find(
      ({ root_path: root }) => root && isWithin(root, path)
    );
    if (mounted || isWithin(to, path)) {
      throw new Error(
        trans.__(
          'Another volume is mounted in it (%1): move what you need out of it instead.',
          mounted ? nameOfVolume(mounted) : to
        )
      );
    }
    if (within.persistence !== 'ephemeral') {
      throw new Error(trans.__('What is in it lasts already. %1', within.why));
    }
  }

  /**
   * @returns the path that it has now: with a number where the name was taken
   */
  private async _rename(from: string, wanted: string): Promise<string> {
    const { contents, documents, trans } = this._options;
    const problem = await documents.settle(from);
    if (problem !== '') {
      throw new Error(problem);
    }
    if (!documents.follows(from, wanted)) {
      throw new Error(
        trans.__('Close the documents in it first: they could not follow.')
      );
    }
    await this._makeFolder(PathExt.dirname(wanted));
    for (const to of names(wanted)) {
      try {
        await contents.rename(from, to);
      } catch (thrown) {
        if (statusOf(thrown) === 409) {
          continue;
        }
        throw (await this._halfDone(from, to, thrown)) ?? thrown;
      }
      await documents.tellKernels(from, to).catch(reason => {
        console.warn('Running kernels do not know of the new path.', reason);
      });
      return to;
    }
    throw new Error(trans.__('All names like %1 are taken.', wanted));
  }

  /**
   * Between file systems a server copies first: where that fails, something may be in both.
   */
  private async _halfDone(
    from: string,
    to: string,
    thrown: unknown
  ): Promise<Error | null> {
    const { contents, trans } = this._options;
    if ((statusOf(thrown) ?? 0) < 500) {
      return null;
    }
    try {
      await contents.get(from, { content: false });
      await contents.get(to, { content: false });
    } catch {
      return null;
    }
    return new Error(
      trans.__(
        '%1 Some of it may be in %2 now: look at both before you delete one.',
        thrown instanceof Error ? thrown.message : String(thrown),
        to
      )
    );
  }

  private async _makeFolder(folder: string): Promise<void> {
    const { contents } = this._options;
    const names = folder === '' ? [] : folder.split('/');
    for (let depth = 1; depth <= names.length; depth++) {
      const path = names.slice(0, depth).join('/');
      try {
        await contents.get(path, { content: false });
      } catch (thrown) {
        if (statusOf(thrown) !== 404) {
          throw thrown;
        }
        await contents.save(path, { type: 'directory' });
      }
    }
  }

  private async _try(
    path: string,
    work: () => Promise<string>
  ): Promise<string | null> {
    const { trans } = this._options;
    try {
      return await work();
    } catch (thrown) {
      const status = statusOf(thrown);
      const reason =
        status === 404
          ? trans.__('It is not there any more.')
          : thrown instanceof Error
            ? thrown.message
            : String(thrown);
      Notification.error(
        isUnanswered(thrown)
          ? trans.__(
              '%1: the server did not answer. Look whether it was moved. (%2)',
              path,
              reason
            )
          : trans.__('%1 was not moved. %2', path, reason),
        { autoClose: false }
      );
      return null;
    }
  }

  private _tell(moved: IMoved[]): void {
    const { places, trans } = this._options;
    const [{ from, to }] = moved;
    const folder = places.known(PathExt.dirname(from))?.private ?? null;
    const message =
      moved.length === 1
        ? trans.__('Moved to %1', to)
        : trans.__(
            '%1 moved to %2',
            trans._n('%1 item', '%1 items', moved.length),
            nameOfPrivate(folder)
          );
    Notification.success(message, {
      autoClose: 15000,
      actions: [
        {
          label: trans.__('Undo'),
          callback: () => void this._undo(moved)
        }
      ]
    });
  }

  private _options: IMoverOptions;
}

/**
 * The name itself and then with numbers: fit.ipynb, fit-1.ipynb, fit-2.ipynb
 */
function* names(path: string): Generator<string> {
  const folder = PathExt.dirname(path);
  const name = PathExt.basename(path);
  const dot = name.lastIndexOf('.');
  const [stem, extension] =
    dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
  yield path;
  for (let number = 1; number < TRIES; number++) {
    yield PathExt.join(folder, `${stem}-${number}${extension}`);
  }
}

/**
 * Of the HTTP answer; undefined where it is not about one.
 */
function statusOf(thrown: unknown): number | undefined {
  return (thrown as { response?: Response } | null)?.response?.status;
}

function isUnanswered(thrown: unknown): boolean {
  return thrown instanceof ServerConnection.NetworkError;
}
