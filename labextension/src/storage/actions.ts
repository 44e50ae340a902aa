import { JupyterFrontEnd } from '@jupyterlab/application';

export namespace CommandIDs {
  export const open = 'jupyter-mlinfn:open-storage';
  export const move = 'jupyter-mlinfn:move-to-private';
}

/**
 * What is done outside the room.
 */
export class StorageActions {
  constructor(app: JupyterFrontEnd) {
    this._app = app;
  }

  /**
   * Show a folder in the file browser; '' is the one at the top.
   */
  async browse(path: string): Promise<void> {
    const { commands } = this._app;
    if (commands.hasCommand('filebrowser:go-to-path')) {
      await commands.execute('filebrowser:go-to-path', { path: `/${path}` });
    }
  }

  /**
   * Show the panel.
   */
  async open(): Promise<void> {
    await this._app.commands.execute(CommandIDs.open);
  }

  private _app: JupyterFrontEnd;
}
