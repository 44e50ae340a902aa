import { JupyterFrontEnd } from '@jupyterlab/application';

import { IEnvironment } from './api';

export namespace CommandIDs {
  export const create = 'jupyter-mlinfn:new-environment';
  export const manage = 'jupyter-mlinfn:environments';
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
