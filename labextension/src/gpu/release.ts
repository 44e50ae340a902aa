import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { ISignal, Signal } from '@lumino/signaling';

import { MlinfnError } from '../api';
import { inWords } from '../errorView';
import { GpuActions } from './actions';
import { IGpuReleased } from './api';
import { canBeFreed, holdersOf, IHolder } from './holders';
import { GpuModel } from './model';
import { chooseKernels } from './releaseDialog';
import { formatMemory } from './words';

/**
 * Frees GPU memory: asks, shuts kernels down, and says how much came back.
 */
export class Release {
  constructor(model: GpuModel, actions: GpuActions, trans: TranslationBundle) {
    this._model = model;
    this._actions = actions;
    this._trans = trans;
  }

  /**
   * Kernels that are being shut down.
   */
  get freeing(): ReadonlySet<string> {
    return this._freeing;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /**
   * @param holders one whose button was pressed, or those to choose from
   */
  async ask(holders: IHolder[]): Promise<void> {
    const trans = this._trans;
    const offered = holders.filter(canBeFreed);
    if (offered.length === 0) {
      Notification.info(trans.__('No kernel of yours holds GPU memory.'));
      return;
    }
    const busy = await this._actions.busyKernels();
    const chosen = await chooseKernels(offered, busy, this._isSimulated, trans);
    if (chosen.length > 0) {
      await this._free(chosen);
    }
  }

  /**
   * Let the user choose among all kernels that hold memory.
   */
  async askForAll(): Promise<void> {
    await this.ask(holdersOf(this._model.view?.processes.list ?? []));
  }

  private get _isSimulated(): boolean {
    return this._model.view?.simulated ?? false;
  }

  private async _free(holders: IHolder[]): Promise<void> {
    const ids = holders.map(({ owner }) => owner.id as string);
    ids.forEach(id => this._freeing.add(id));
    this._changed.emit();
    try {
      const released = await this._model.release(ids);
      await this._actions.refreshRunning();
      tellReleased(released, holders, this._isSimulated, this._trans);
    } catch (thrown) {
      const told = inWords(MlinfnError.from(thrown), this._trans);
      Notification.error(
        [told.message, told.reason, told.hint].filter(part => part).join(' '),
        { autoClose: false }
      );
    } finally {
      ids.forEach(id => this._freeing.delete(id));
      this._changed.emit();
    }
  }

  private _model: GpuModel;
  private _actions: GpuActions;
  private _trans: TranslationBundle;
  private _freeing = new Set<string>();
  private _changed = new Signal<this, void>(this);
}

/**
 * Say what became of it: what was measured, never what was hoped for.
 */
function tellReleased(
  released: IGpuReleased,
  holders: IHolder[],
  simulated: boolean,
  trans: TranslationBundle
): void {
  const nameOf = (id: string): string =>
    holders.find(({ owner }) => owner.id === id)?.owner.title ?? id;
  if (released.shut.length > 0) {
    const told = describeReleased(released, nameOf, trans);
    Notification.success(simulated ? trans.__('%1 (simulated)', told) : told, {
      autoClose: 15000
    });
  }
  for (const { kernel_id, reason } of released.failed) {
    Notification.error(
      trans.__('%1 was not shut down. %2', nameOf(kernel_id), reason),
      { autoClose: false }
    );
  }
}

/**
 * How much came back: 2.9 GiB of GPU memory came back: train.ipynb is shut down.
 */
export function describeReleased(
  { shut, freed_bytes: freed, freed_note: note }: IGpuReleased,
  nameOf: (kernel: string) => string,
  trans: TranslationBundle
): string {
  const names = shut.map(nameOf).join(', ');
  if (freed === null) {
    return note
      ? trans.__(
          'Shut down: %1. How much GPU memory came back is not known. %2',
          names,
          note
        )
      : trans.__(
          'Shut down: %1. How much GPU memory came back is not known.',
          names
        );
  }
  if (freed <= 0 && note) {
    return trans.__(
      'Shut down: %1. No GPU memory has come back. %2',
      names,
      note
    );
  }
  if (freed <= 0) {
    return trans.__(
      'Shut down: %1. No GPU memory has come back: something else holds it, or has taken it.',
      names
    );
  }
  return trans.__(
    '%1 of GPU memory came back. Shut down: %2.',
    formatMemory(freed),
    names
  );
}
