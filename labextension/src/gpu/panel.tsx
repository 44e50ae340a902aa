import { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import React from 'react';

import { ErrorView } from '../errorView';
import { useSignal } from '../hooks';
import { gpuIcon } from '../icons';
import { GpuActions } from './actions';
import { IGpuView } from './api';
import { Candidates } from './candidates';
import { Device, DeviceFacts } from './device';
import { Explained } from './info';
import { GpuModel } from './model';
import { Holders } from './processes';
import { Release } from './release';
import { Simulated } from './simulated';
import {
  describeDevice,
  describeSliceHours,
  describeState,
  describeUsage,
  formatTime,
  isReadable
} from './words';

/**
 * Below this width, in pixels, terms stand above what they mean.
 */
const NARROW = 360;

export interface IGpuPanelOptions {
  model: GpuModel;
  actions: GpuActions;
  release: Release;
  trans: TranslationBundle;
}

/**
 * What is the user's, how full it is, and who holds it.
 */
export class GpuPanel extends ReactWidget {
  constructor(options: IGpuPanelOptions) {
    super();
    this._options = options;
    this.addClass('jp-mlinfn-Gpu');
  }

  protected onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    this._fit(this.node.clientWidth);
  }

  protected onResize(msg: Widget.ResizeMessage): void {
    super.onResize(msg);
    this._fit(msg.width < 0 ? this.node.clientWidth : msg.width);
  }

  protected render(): JSX.Element {
    return <Content {...this._options} />;
  }

  private _fit(width: number): void {
    this.toggleClass('jp-mod-narrow', width < NARROW);
  }

  private _options: IGpuPanelOptions;
}

export function Content(props: IGpuPanelOptions): JSX.Element {
  const { model, actions, release, trans } = props;
  useSignal(model.changed);
  const { view, error } = model;
  if (view === null) {
    return error ? (
      <ErrorView error={error} trans={trans} />
    ) : (
      <p className="jp-mlinfn-hint" role="status">
        {trans.__('Loading…')}
      </p>
    );
  }
  const isAmbiguous = view.selection.ambiguous;
  const devices = isAmbiguous ? [] : view.devices;
  return (
    <>
      <Head model={model} view={view} trans={trans} />
      {error && <ErrorView error={error} trans={trans} />}
      <Age model={model} trans={trans} />
      {view.selection.note &&
        !view.state.sentence.includes(view.selection.note) && (
          <p className="jp-mlinfn-hint">{view.selection.note}</p>
        )}
      {isAmbiguous && <Candidates devices={view.devices} trans={trans} />}
      {devices.map(device => (
        <Device
          key={device.uuid}
          device={device}
          view={view}
          model={model}
          isNamed={devices.length > 1}
          trans={trans}
        />
      ))}
      {devices.length > 0 && (
        <>
          <Holders
            processes={view.processes}
            devices={devices}
            actions={actions}
            release={release}
            trans={trans}
          />
          {view.usage.held_seconds !== null && (
            <Usage view={view} trans={trans} />
          )}
        </>
      )}
      {devices.length === 1 && (
        <section className="jp-mlinfn-Gpu-part">
          <DeviceFacts device={devices[0]} view={view} trans={trans} />
        </section>
      )}
    </>
  );
}

/**
 * What it is, and its state with the next step where it is not fine.
 */
function Head(props: {
  model: GpuModel;
  view: IGpuView;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, view, trans } = props;
  const { devices, selection, state } = view;
  const isKnown = devices.some(
    ({ uuid }) => model.memoryOf(uuid).used !== null
  );
  const title = selection.ambiguous
    ? trans.__('One of %1 GPU devices', String(devices.length))
    : devices.length === 1
      ? describeDevice(devices[0], trans)
      : devices.length > 1
        ? trans._n('%1 GPU device', '%1 GPU devices', devices.length)
        : view.present
          ? trans.__('GPU')
          : trans.__('No GPU here');
  // A server without one, as most are, is not in trouble.
  const severity = view.present ? state.severity : 'info';
  return (
    <header className="jp-mlinfn-Gpu-head">
      {devices.length === 0 && (
        <gpuIcon.react tag="div" width="48px" height="48px" />
      )}
      <h2>{title}</h2>
      {view.present && (
        <p className="jp-mlinfn-Gpu-state">
          <span
            className="jp-mlinfn-Gpu-dot"
            data-severity={severity}
            aria-hidden="true"
          />
          {describeState(state.kind, trans)}
          {view.simulated && <Simulated trans={trans} />}
        </p>
      )}
      {state.kind !== 'fine' && (
        <div className="jp-mlinfn-Gpu-notice" data-severity={severity}>
          <p>{state.sentence}</p>
          {state.next_step && <p>{state.next_step}</p>}
        </div>
      )}
      {isKnown && !isReadable(view) && (
        <p className="jp-mlinfn-hint">
          {trans.__('The figures below may be those of before.')}
        </p>
      )}
      <span className="jp-mlinfn-sr" aria-live="polite">
        {trans.__('GPU: %1', describeState(state.kind, trans))}
      </span>
    </header>
  );
}

/**
 * Says of when the figures are where they are not of now.
 */
function Age(props: {
  model: GpuModel;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { model, trans } = props;
  const { end } = model.history;
  if (model.isCurrent || end === null) {
    return null;
  }
  return (
    <p className="jp-mlinfn-warning">
      {trans.__('These are the figures of %1.', formatTime(end))}
      {model.isPaused &&
        ' ' +
          trans.__(
            'Nothing is read while nobody touches this page; move the pointer to go on.'
          )}
    </p>
  );
}

function Usage(props: {
  view: IGpuView;
  trans: TranslationBundle;
}): JSX.Element {
  const { view, trans } = props;
  const { usage } = view;
  const hours = describeSliceHours(usage, trans);
  return (
    <section className="jp-mlinfn-Gpu-part">
      <h3>{trans.__('Since this server started')}</h3>
      <Explained
        about={trans.__('held and in use')}
        explanation={[
          trans.__(
            'Held is how long it was yours, so that nobody else could have it. In use is an estimate: the minutes in which its memory was held or a kernel was busy.'
          ),
          hours &&
            trans.__(
              'Slice-hours are hours times the slices held: what is counted where GPUs are shared.'
            ),
          !usage.accounting &&
            trans.__('Counting is switched off on this server.')
        ]
          .filter(part => part)
          .join(' ')}
        trans={trans}
      >
        {describeUsage(usage, trans)}
      </Explained>
      {hours && <p className="jp-mlinfn-hint">{hours}</p>}
    </section>
  );
}
