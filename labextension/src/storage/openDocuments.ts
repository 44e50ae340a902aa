import { JupyterFrontEnd } from '@jupyterlab/application';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { DocumentRegistry } from '@jupyterlab/docregistry';
import { TranslationBundle } from '@jupyterlab/translation';

import { isWithin } from './model';

/** Milliseconds that a document's kernel may take to start before it is moved all the same. */
const STARTING = 5000;

/** Whoever made the server wrong about the time of a file by less is forgiven; milliseconds. */
const SAME_TIME = 500;

/**
 * The documents that are open in this page, as far as a move is about them.
 */
export class OpenDocuments {
  constructor(
    app: JupyterFrontEnd,
    manager: IDocumentManager,
    trans: TranslationBundle
  ) {
    this._app = app;
    this._manager = manager;
    this._trans = trans;
  }

  /**
   * Whether a file is open.
   */
  isOpen(path: string): boolean {
    return this._within(path).some(context => context.path === path);
  }

  /**
   * Make those at or below a path ready to be moved: kernels have begun, changes are saved.
   *
   * @returns why that cannot be; '' where it can
   */
  async settle(path: string): Promise<string> {
    for (const context of this._within(path)) {
      await begun(context);
      const problem = await this._save(context);
      if (problem !== '') {
        return problem;
      }
    }
    return '';
  }

  /**
   * Whether JupyterLab lets what is open below a folder follow when that moves: it makes a
   * pattern of the path.
   */
  follows(from: string, to: string): boolean {
    const isPlain = !/[\\^$*+?.()|[\]{}]/.test(from) && !to.includes('$');
    return isPlain || this._within(from).every(({ path }) => path === from);
  }

  /**
   * Have kernels whose documents are not open here know of the new path.
   */
  async tellKernels(from: string, to: string): Promise<void> {
    const { sessions } = this._app.serviceManager;
    await sessions.refreshRunning();
    for (const model of Array.from(sessions.running())) {
      if (model.path === from || model.path.startsWith(`${from}/`)) {
        const session = sessions.connectTo({ model });
        try {
          await session.setPath(to + model.path.slice(from.length));
        } finally {
          session.dispose();
        }
      }
    }
  }

  private _within(path: string): DocumentRegistry.Context[] {
    const found = new Set<DocumentRegistry.Context>();
    for (const area of ['main', 'left', 'right', 'down']) {
      let widgets: ReturnType<JupyterFrontEnd.IShell['widgets']>;
      try {
        widgets = this._app.shell.widgets(area);
      } catch {
        // Not every shell has every area.
        continue;
      }
      for (const widget of Array.from(widgets)) {
        const context = this._manager.contextForWidget(widget);
        if (context && isWithin(context.path, path)) {
          found.add(context);
        }
      }
    }
    return Array.from(found);
  }

  /**
   * @returns why it is not saved; '' where it is
   */
  private async _save(context: DocumentRegistry.Context): Promise<string> {
    const trans = this._trans;
    const { model, path } = context;
    if (!model.dirty || model.collaborative) {
      return '';
    }
    if (context.contentsModel?.writable === false) {
      return trans.__('%1 has changes and is read-only.', path);
    }
    // JupyterLab would not see any more, after a move, that somebody else has changed it.
    if (await this._hasChangedOnDisk(context)) {
      return trans.__(
        '%1 has changed on disk since it was opened here. Save it or load it again first.',
        path
      );
    }
    await context.save();
    return '';
  }

  private async _hasChangedOnDisk(
    context: DocumentRegistry.Context
  ): Promise<boolean> {
    const known = context.contentsModel;
    if (known === null) {
      return false;
    }
    const found = await this._manager.services.contents.get(context.path, {
      content: false,
      hash: true
    });
    return known.hash && found.hash
      ? known.hash !== found.hash
      : Date.parse(found.last_modified) - Date.parse(known.last_modified) >
          SAME_TIME;
  }

  private _app: JupyterFrontEnd;
  private _manager: IDocumentManager;
  private _trans: TranslationBundle;
}

/**
 * A kernel that begins while its document moves would be told the old path.
 */
async function begun(context: DocumentRegistry.Context): Promise<void> {
  await Promise.race([
    context.ready.then(() => context.sessionContext.ready),
    new Promise(resolve => setTimeout(resolve, STARTING))
  ]);
}
