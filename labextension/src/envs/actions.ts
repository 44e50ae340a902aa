import { JupyterFrontEnd } from '@jupyterlab/application';
import { ISessionContext } from '@jupyterlab/apputils';

import { IEnvironment, IRunningKernel } from './api';

export namespace CommandIDs {
  export const create = 'jupyter-mlinfn:new-environment';
  export const manage = 'jupyter-mlinfn:environments';
  export const space = 'jupyter-mlinfn:space';
}

/**
 * What became of kernels that were to be restarted.
 */
export interface IRestarted {
  restarted: IRunningKernel[];
  gone: IRunningKernel[];
  failed: { kernel: IRunningKernel; reason: string }[];
}

/**
 * As notebooks and consoles have it.
 */
interface IWithSession {
  sessionContext?: ISessionContext;
}

/**
 * What can be begun in an environment.
 */
export class EnvironmentActions {
  constructor(app: JupyterFrontEnd) {
    this._app = app;
  }

  /**
   * Make launcher and kernel lists show the kernels of now.
   */
  async refreshKernels(): Promise<void> {
    try {
      await this._app.serviceManager.kernelspecs.refreshSpecs();
    } catch (reason) {
      // JupyterLab asks again by itself every minute.
      console.warn('The kernels could not be read again.', reason);
    }
  }

  /**
   * Open a new notebook with a kernel of the environment, the first by default.
   */
  async newNotebook(
    environment: IEnvironment,
    kernelName = environment.kernels[0]?.name
  ): Promise<void> {
    const { commands, serviceManager } = this._app;
    const known = serviceManager.kernelspecs.specs?.kernelspecs ?? {};
    if (!(kernelName in known)) {
      await this.refreshKernels();
    }
    await commands.execute('notebook:create-new', { kernelName });
  }

  /**
   * Whether this JupyterLab has terminals.
   */
  get hasTerminals(): boolean {
    const { commands, serviceManager } = this._app;
    return (
      commands.hasCommand('terminal:create-new') &&
      serviceManager.terminals.isAvailable()
    );
  }

  /**
   * Open a terminal and activate the environment in its shell.
   */
  async openTerminal(environment: IEnvironment): Promise<void> {
    const widget = await this._app.commands.execute('terminal:create-new');
    widget.content.session.send({
      type: 'stdin',
      content: [` ${activation(environment)}\r`]
    });
  }

  async showDetails(id: string): Promise<void> {
    await this._app.commands.execute(CommandIDs.manage, { id });
  }

  async newEnvironment(
    args: { job?: string; change?: boolean } = {}
  ): Promise<void> {
    await this._app.commands.execute(CommandIDs.create, args);
  }

  /**
   * Restart kernels, each of them whatever becomes of the others.
   *
   * @returns what was restarted, what ran no more, and what could not be, with why
   */
  async restartKernels(kernels: IRunningKernel[]): Promise<IRestarted> {
    const { kernels: known } = this._app.serviceManager;
    await known.refreshRunning();
    const models = Array.from(known.running());
    const told: IRestarted = { restarted: [], gone: [], failed: [] };
    await Promise.all(
      kernels.map(async kernel => {
        const model = models.find(({ id }) => id === kernel.kernel_id);
        if (!model) {
          told.gone.push(kernel);
          return;
        }
        try {
          const context = this._contextOf(kernel.kernel_id);
          if (context) {
            // An open document is told that its kernel begins anew.
            await context.restartKernel();
          } else {
            const connection = known.connectTo({ model });
            try {
              await connection.restart();
            } finally {
              connection.dispose();
            }
          }
          told.restarted.push(kernel);
        } catch (thrown) {
          const reason = thrown instanceof Error ? thrown.message : `${thrown}`;
          told.failed.push({ kernel, reason });
        }
      })
    );
    return told;
  }

  /**
   * The session of the open document or console that uses a kernel.
   */
  private _contextOf(kernelId: string): ISessionContext | undefined {
    const widgets = Array.from(this._app.shell.widgets('main'));
    const widget = widgets.find(candidate => {
      const { sessionContext } = candidate as IWithSession;
      return sessionContext?.session?.kernel?.id === kernelId;
    });
    return (widget as IWithSession | undefined)?.sessionContext;
  }

  async openDocument(path: string): Promise<void> {
    await this._app.commands.execute('docmanager:open', { path });
  }

  private _app: JupyterFrontEnd;
}

/**
 * What a POSIX shell has to do so that the environment's programs are found.
 *
 * There may be no conda that could activate it. What conda does is described in
 * https://docs.conda.io/projects/conda/en/stable/dev-guide/deep-dives/activation.html
 */
export function activation(environment: IEnvironment): string {
  const prefix = quote(environment.prefix);
  return [
    `export CONDA_PREFIX=${prefix} CONDA_DEFAULT_ENV=${quote(environment.name)}`,
    'export PATH="$CONDA_PREFIX/bin:$PATH"',
    'if [ -d "$CONDA_PREFIX/etc/conda/activate.d" ]; then' +
      ' for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do' +
      ' if [ -r "$script" ]; then . "$script"; fi; done; fi'
  ].join('; ');
}

function quote(text: string): string {
  return `'${text.replace(/'/g, "'\\''")}'`;
}
