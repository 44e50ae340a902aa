import { JupyterFrontEnd } from '@jupyterlab/application';
import { ISessionContext } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import { IGpuOwner } from './api';

export namespace CommandIDs {
  export const show = 'jupyter-mlinfn:gpu';
  export const free = 'jupyter-mlinfn:free-gpu';
}

/**
 * As notebooks, consoles and terminals have it.
 */
interface IProgramWidget extends Widget {
  sessionContext?: ISessionContext;
  content?: { session?: { name?: string } };
}

interface ICommand {
  id: string;
  args: { [name: string]: string };
}

/**
 * What can be done with a program that holds GPU memory.
 */
export class GpuActions {
  constructor(app: JupyterFrontEnd) {
    this._app = app;
  }

  /**
   * Whether there is something to be opened.
   */
  canOpen(owner: IGpuOwner): boolean {
    return (
      this._widgetOf(owner) !== undefined || this._commandFor(owner) !== null
    );
  }

  /**
   * Go to where the program is shown; open it where it is not.
   */
  async open(owner: IGpuOwner): Promise<void> {
    const widget = this._widgetOf(owner);
    const command = this._commandFor(owner);
    if (widget) {
      this._app.shell.activateById(widget.id);
    } else if (command) {
      await this._app.commands.execute(command.id, command.args);
    }
  }

  /**
   * Which of the kernels are computing; null where that cannot be told.
   */
  async busyKernels(): Promise<Set<string> | null> {
    const { kernels } = this._app.serviceManager;
    try {
      await kernels.refreshRunning();
    } catch {
      return null;
    }
    const busy = Array.from(kernels.running()).filter(
      ({ execution_state: state }) => state === 'busy'
    );
    return new Set(busy.map(({ id }) => id));
  }

  /**
   * Make JupyterLab see at once which kernels are gone.
   */
  async refreshRunning(): Promise<void> {
    try {
      await this._app.serviceManager.sessions.refreshRunning();
    } catch (reason) {
      // JupyterLab asks again by itself every few seconds.
      console.warn('The running kernels could not be read again.', reason);
    }
  }

  private _widgetOf({ kind, id }: IGpuOwner): IProgramWidget | undefined {
    if (id === null) {
      return undefined;
    }
    const widgets = Array.from(
      this._app.shell.widgets('main')
    ) as IProgramWidget[];
    return widgets.find(({ content, sessionContext }) =>
      kind === 'terminal'
        ? content?.session?.name === id
        : sessionContext?.session?.kernel?.id === id
    );
  }

  private _commandFor({ kind, id, path }: IGpuOwner): ICommand | null {
    const command: ICommand | null =
      kind === 'notebook' && path !== null
        ? { id: 'docmanager:open', args: { path } }
        : kind === 'console' && path !== null
          ? { id: 'console:open', args: { path } }
          : kind === 'terminal' && id !== null
            ? { id: 'terminal:open', args: { name: id } }
            : null;
    return command && this._app.commands.hasCommand(command.id)
      ? command
      : null;
  }

  private _app: JupyterFrontEnd;
}
