import { JupyterFrontEnd } from '@jupyterlab/application';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { DocumentRegistry } from '@jupyterlab/docregistry';
import { Contents } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { IDocuments, ISaved } from './api';

const AREAS = ['main', 'left', 'right', 'down', 'top', 'bottom'];

/** Whoever made the server wrong about the time of a file by less is forgiven; milliseconds. */
const SAME_TIME = 500;

/** As many paths as a report takes. */
const MOST = 1000;

/**
 * The documents of this page. Saves all that has unsaved changes, and asks nothing.
 */
export class Documents {
  constructor(
    shell: JupyterFrontEnd.IShell,
    manager: IDocumentManager,
    trans: TranslationBundle
  ) {
    this._shell = shell;
    this._manager = manager;
    this._trans = trans;
  }

  /**
   * Which there are now.
   */
  list(): IDocuments {
    const paths = (contexts: DocumentRegistry.Context[]): string[] =>
      contexts.slice(0, MOST).map(({ path }) => path);
    return { open: paths(this._all()), unsaved: paths(this._dirty()) };
  }

  /**
   * @param timeout milliseconds after which what is not saved counts as failed
   */
  async saveAll(timeout: number): Promise<ISaved> {
    const saved: ISaved = {
      open: this.list().open,
      documents: [],
      failed: []
    };
    const late = new Promise<string>(resolve =>
      setTimeout(
        () => resolve(this._trans.__('It was not saved in time.')),
        timeout
      )
    );
    await Promise.all(
      this._dirty().map(async context => {
        const path = context.path;
        const reason = await Promise.race([this._save(context), late]);
        if (reason === '') {
          saved.documents.push(path);
        } else {
          saved.failed.push({ path, reason: reason.slice(0, 1000) });
        }
      })
    );
    return saved;
  }

  /**
   * Ask nobody about what has changed in those since they were saved: the end of
   * its kernel changes a notebook whose cells were running.
   */
  disregard(paths: string[]): void {
    for (const { model, path } of this._dirty()) {
      if (paths.includes(path)) {
        model.dirty = false;
      }
    }
  }

  private _dirty(): DocumentRegistry.Context[] {
    return this._all().filter(({ model }) => model.dirty);
  }

  private _all(): DocumentRegistry.Context[] {
    const contexts = this._widgets().map(widget =>
      this._manager.contextForWidget(widget)
    );
    return Array.from(new Set(contexts)).filter(
      (context): context is DocumentRegistry.Context => context !== undefined
    );
  }

  private _widgets(): Widget[] {
    return AREAS.reduce<Widget[]>((found, area) => {
      try {
        return found.concat(Array.from(this._shell.widgets(area)));
      } catch {
        // Not every shell has every area.
        return found;
      }
    }, []);
  }

  /**
   * @returns why it was not saved; '' where it was
   */
  private async _save(context: DocumentRegistry.Context): Promise<string> {
    const trans = this._trans;
    try {
      if (context.contentsModel?.writable === false) {
        return trans.__('It is read-only.');
      }
      // JupyterLab would ask whether to overwrite, and nobody may be there to answer.
      if (await this._hasChangedOnDisk(context)) {
        return trans.__(
          'The file has changed since it was opened here: it was not overwritten.'
        );
      }
      await context.save();
      return '';
    } catch (thrown) {
      return thrown instanceof Error ? thrown.message : String(thrown);
    }
  }

  private async _hasChangedOnDisk(
    context: DocumentRegistry.Context
  ): Promise<boolean> {
    const known = context.contentsModel;
    if (known === null || context.model.collaborative) {
      return false;
    }
    let found: Contents.IModel;
    try {
      found = await this._manager.services.contents.get(context.path, {
        content: false,
        hash: true
      });
    } catch (thrown) {
      const status = (thrown as { response?: Response }).response?.status;
      if (status === 404) {
        // Saving makes it anew.
        return false;
      }
      throw thrown;
    }
    return known.hash && found.hash
      ? known.hash !== found.hash
      : Date.parse(found.last_modified) - Date.parse(known.last_modified) >
          SAME_TIME;
  }

  private _shell: JupyterFrontEnd.IShell;
  private _manager: IDocumentManager;
  private _trans: TranslationBundle;
}
