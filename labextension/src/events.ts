import { Event, ServiceManager } from '@jupyterlab/services';
import { Token } from '@lumino/coreutils';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

const SCHEMA = 'https://events.jupyter.org/jupyter_mlinfn';

/**
 * JupyterLab's event manager retries its socket with pauses of up to 30 s
 * and does not say when it is back: what came meanwhile is read again after that.
 */
const SOCKET_IS_BACK_AFTER = 32000;

/**
 * How often the server is asked whether it answers again, at first and at last.
 */
const RETRY = { first: 1000, last: 15000 };

/**
 * What rooms listen to; see `ServerEvents`.
 */
export interface IServerEvents {
  readonly jobsChanged: ISignal<IServerEvents, void>;
  readonly envsChanged: ISignal<IServerEvents, void>;
  readonly gpuChanged: ISignal<IServerEvents, void>;
  readonly idleChanged: ISignal<IServerEvents, void>;
  readonly storageChanged: ISignal<IServerEvents, void>;
  readonly sessionChanged: ISignal<IServerEvents, void>;
  /** A request failed because the server did not answer. */
  connectionLost(): void;
}

export const IServerEvents = new Token<IServerEvents>(
  'jupyter-mlinfn:IServerEvents',
  'Says which part of the server’s state is to be read again.'
);

/**
 * Says which part of the server's state is to be read again.
 *
 * The event bus has no replay, and anybody who holds a token may post to it.
 * So a signal here never carries anything: it means "read again", also after
 * a lost connection has come back and when a hidden page becomes visible.
 */
export class ServerEvents implements IServerEvents, IDisposable {
  /**
   * @param services JupyterLab's connection to the server
   * @param probe rejects as long as the server does not answer
   */
  constructor(
    services: ServiceManager.IManager,
    probe: () => Promise<unknown>
  ) {
    this._probe = probe;
    services.events.stream.connect(this._onEvent, this);
    services.connectionFailure.connect(this._onFailure, this);
    document.addEventListener('visibilitychange', this._onVisibility);
  }

  get jobsChanged(): ISignal<this, void> {
    return this._jobsChanged;
  }

  get envsChanged(): ISignal<this, void> {
    return this._envsChanged;
  }

  get gpuChanged(): ISignal<this, void> {
    return this._gpuChanged;
  }

  get idleChanged(): ISignal<this, void> {
    return this._idleChanged;
  }

  get storageChanged(): ISignal<this, void> {
    return this._storageChanged;
  }

  get sessionChanged(): ISignal<this, void> {
    return this._sessionChanged;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    clearTimeout(this._retry);
    clearTimeout(this._late);
    document.removeEventListener('visibilitychange', this._onVisibility);
    Signal.clearData(this);
  }

  /**
   * A request failed because the server did not answer: ask until it does.
   */
  connectionLost(): void {
    if (this._isLost || this._isDisposed) {
      return;
    }
    this._isLost = true;
    this._retryIn(RETRY.first);
  }

  private _retryIn(pause: number): void {
    this._retry = window.setTimeout(() => {
      this._probe().then(
        () => {
          this._isLost = false;
          this._readAll();
          clearTimeout(this._late);
          this._late = window.setTimeout(
            () => this._readAll(),
            SOCKET_IS_BACK_AFTER
          );
        },
        () => {
          if (!this._isDisposed) {
            this._retryIn(Math.min(pause * 2, RETRY.last));
          }
        }
      );
    }, pause);
  }

  private _readAll(): void {
    if (!this._isDisposed) {
      this._jobsChanged.emit();
      this._envsChanged.emit();
      this._gpuChanged.emit();
      this._idleChanged.emit();
      this._storageChanged.emit();
      this._sessionChanged.emit();
    }
  }

  private _onEvent(_: Event.IManager, event: Event.Emission): void {
    if (event.schema_id === `${SCHEMA}/jobs/v1`) {
      this._jobsChanged.emit();
    } else if (event.schema_id === `${SCHEMA}/envs/v1`) {
      this._envsChanged.emit();
    } else if (event.schema_id === `${SCHEMA}/gpu/v1`) {
      this._gpuChanged.emit();
    } else if (event.schema_id === `${SCHEMA}/idle/v1`) {
      this._idleChanged.emit();
    } else if (event.schema_id === `${SCHEMA}/storage/v1`) {
      this._storageChanged.emit();
    } else if (event.schema_id === `${SCHEMA}/session/v1`) {
      this._sessionChanged.emit();
    }
  }

  private _onFailure(): void {
    this.connectionLost();
  }

  private _onVisibility = (): void => {
    if (document.visibilityState === 'visible') {
      this._readAll();
    }
  };

  private _probe: () => Promise<unknown>;
  private _jobsChanged = new Signal<this, void>(this);
  private _envsChanged = new Signal<this, void>(this);
  private _gpuChanged = new Signal<this, void>(this);
  private _idleChanged = new Signal<this, void>(this);
  private _storageChanged = new Signal<this, void>(this);
  private _sessionChanged = new Signal<this, void>(this);
  private _isDisposed = false;
  private _isLost = false;
  private _retry = 0;
  private _late = 0;
}
