import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import React from 'react';

import { useSignal } from '../hooks';
import { StatusItem } from '../statusItem';
import { IGpuDevice } from './api';
import { levelOf, MemoryBar, shareOf } from './bar';
import { GpuModel } from './model';
import {
  describeDevice,
  describeState,
  formatMemoryOf,
  formatTime,
  inGiB,
  isFine,
  shortName
} from './words';

/**
 * The status bar item: 1g.5gb ▮▮▮▯▯ 3.1/4.8 GiB
 */
export class GpuStatus extends StatusItem {
  constructor(model: GpuModel, open: () => void, trans: TranslationBundle) {
    super();
    this._model = model;
    this._open = open;
    this._trans = trans;
    this.addClass('jp-mlinfn-GpuStatus');
    model.changed.connect(this.onChanged, this);
  }

  /**
   * Whether there is a GPU, or ought to be one.
   */
  get isActive(): boolean {
    return this._model.view?.present ?? false;
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._model.setShown(this, false);
      Signal.clearData(this);
      super.dispose();
    }
  }

  protected onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    this._model.setShown(this, this.isVisible);
  }

  protected onBeforeDetach(msg: Message): void {
    this._model.setShown(this, false);
    super.onBeforeDetach(msg);
  }

  protected onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this._model.setShown(this, true);
  }

  protected onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    this._model.setShown(this, false);
  }

  protected render(): JSX.Element {
    return <Status model={this._model} open={this._open} trans={this._trans} />;
  }

  private _model: GpuModel;
  private _open: () => void;
  private _trans: TranslationBundle;
}

export function Status(props: {
  model: GpuModel;
  open: () => void;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { model, open, trans } = props;
  useSignal(model.changed);
  const { view } = model;
  if (!view?.present) {
    return null;
  }
  const device = fullest(model, view.devices);
  return (
    <Button
      minimal
      className="jp-mlinfn-GpuStatus-button"
      title={tooltip(model, trans)}
      data-current={model.isCurrent}
      onClick={open}
    >
      {device && isFine(view) ? (
        <Figures
          device={device}
          more={view.devices.length - 1}
          model={model}
          trans={trans}
        />
      ) : (
        <>
          <span
            className="jp-mlinfn-Gpu-dot"
            data-severity={view.state.severity}
            aria-hidden="true"
          />
          {trans.__('GPU: %1', describeState(view.state.kind, trans))}
        </>
      )}
      {view.simulated && (
        <span className="jp-mlinfn-GpuStatus-simulated">
          {trans.__('simulated')}
        </span>
      )}
    </Button>
  );
}

function Figures(props: {
  device: IGpuDevice;
  more: number;
  model: GpuModel;
  trans: TranslationBundle;
}): JSX.Element {
  const { device, more, model, trans } = props;
  const memory = model.memoryOf(device.uuid);
  const { used, total } = memory;
  return (
    <>
      <span>{shortName(device)}</span>
      <MemoryBar
        memory={memory}
        level={levelOf(model.view?.state ?? null, memory)}
      />
      <span>
        {used === null || total === null
          ? trans.__('memory not reported')
          : trans.__('%1/%2 GiB', inGiB(used), inGiB(total))}
      </span>
      {more > 0 && <span>{trans.__('(+%1 more)', String(more))}</span>}
    </>
  );
}

/**
 * Of several devices that which is in need of attention first.
 */
function fullest(model: GpuModel, devices: IGpuDevice[]): IGpuDevice | null {
  const share = ({ uuid }: IGpuDevice): number =>
    shareOf(model.memoryOf(uuid)) ?? -1;
  return devices.reduce<IGpuDevice | null>(
    (best, device) =>
      best === null || share(device) > share(best) ? device : best,
    null
  );
}

function tooltip(model: GpuModel, trans: TranslationBundle): string {
  const { view, history } = model;
  if (view === null) {
    return '';
  }
  return [
    view.simulated ? trans.__('Simulated: no GPU is real here.') : '',
    ...(view.selection.ambiguous ? [] : view.devices).map(device =>
      trans.__(
        '%1: %2 of memory in use',
        describeDevice(device, trans),
        formatMemoryOf(model.memoryOf(device.uuid), trans)
      )
    ),
    view.state.kind === 'fine' ? '' : view.state.sentence,
    view.state.next_step,
    model.isCurrent || history.end === null
      ? ''
      : trans.__('These are the figures of %1.', formatTime(history.end)),
    view.selection.ambiguous
      ? trans.__('Click to see which there are.')
      : trans.__('Click to see what holds the memory.')
  ]
    .filter(part => part)
    .join('\n');
}
