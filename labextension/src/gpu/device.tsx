import { TranslationBundle } from '@jupyterlab/translation';
import React, { useId } from 'react';

import { CopyButton } from '../copyButton';
import { IGpuDevice, IGpuView } from './api';
import { levelOf, MemoryBar } from './bar';
import { Chart } from './chart';
import { IPoint } from './history';
import { Explained } from './info';
import { GpuModel } from './model';
import { Simulated } from './simulated';
import {
  describeDevice,
  formatMemory,
  formatMemoryOf,
  formatTime,
  isReadable,
  numberAmong
} from './words';

const usedOf = (point: IPoint): number | null => point.used;
const utilisationOf = (point: IPoint): number | null => point.utilisation;

/**
 * One device: how full it is, and what it does.
 */
export function Device(props: {
  device: IGpuDevice;
  view: IGpuView;
  model: GpuModel;
  /** Whether it is one of several, and has to say which. */
  isNamed: boolean;
  trans: TranslationBundle;
}): JSX.Element {
  const { device, view, model, isNamed, trans } = props;
  const id = useId();
  const memory = model.memoryOf(device.uuid);
  const level = levelOf(view.state, memory);
  const points = model.history.points(device.uuid);
  const end = model.history.end;
  // A driver that hangs gives no samples, however often the server is asked.
  const isNow = model.isCurrent && isReadable(view);
  const endLabel = end === null || isNow ? trans.__('now') : formatTime(end);
  return (
    <section
      className="jp-mlinfn-Gpu-part"
      aria-labelledby={isNamed ? id : undefined}
    >
      {isNamed && (
        <h3 id={id}>
          {[
            describeDevice(device, trans),
            numberAmong(device, view.devices, trans)
          ]
            .filter(part => part)
            .join(' · ')}{' '}
          {view.simulated && <Simulated trans={trans} />}
        </h3>
      )}
      <p className="jp-mlinfn-Gpu-figure">
        <span>{trans.__('Memory')}</span>
        <strong>{formatMemoryOf(memory, trans)}</strong>
      </p>
      <MemoryBar memory={memory} level={level} />
      {memory.free !== null && (
        <p className="jp-mlinfn-hint">
          {trans.__('%1 free', formatMemory(memory.free))}
        </p>
      )}
      {end !== null && memory.total !== null && points.length > 0 && (
        <Chart
          label={trans.__('Memory')}
          points={points}
          valueOf={usedOf}
          top={memory.total}
          end={end}
          endLabel={endLabel}
          format={formatMemory}
          trans={trans}
        />
      )}
      <Compute
        device={device}
        points={points}
        utilisation={model.utilisationOf(device.uuid)}
        end={end}
        endLabel={endLabel}
        trans={trans}
      />
      {isNamed && <DeviceFacts device={device} view={view} trans={trans} />}
    </section>
  );
}

/**
 * What it is, and what is known of the whole board: for those who want to know.
 */
export function DeviceFacts(props: {
  device: IGpuDevice;
  view: IGpuView;
  trans: TranslationBundle;
}): JSX.Element {
  return (
    <>
      <Facts device={props.device} trans={props.trans} />
      <Board {...props} />
    </>
  );
}

function Compute(props: {
  device: IGpuDevice;
  points: ReadonlyArray<IPoint>;
  utilisation: number | null;
  end: number | null;
  endLabel: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { device, points, utilisation, end, endLabel, trans } = props;
  const percent = (value: number): string =>
    trans.__('%1 %', String(Math.round(value)));
  const isCharted = points.some(point => point.utilisation !== null);
  if (utilisation === null && !isCharted) {
    return (
      <Explained
        about={trans.__('Compute')}
        explanation={
          device.kind === 'mig'
            ? trans.__(
                'Before Hopper the driver measures computing for whole boards only. That figure would be about everybody on the board, so it is not shown as yours. That there is none does not mean that nothing is computed.'
              )
            : trans.__(
                'The driver gives no figure. It does not mean that nothing is computed.'
              )
        }
        trans={trans}
      >
        <span>{trans.__('Compute')}</span>{' '}
        <span className="jp-mlinfn-hint">
          {device.utilisation_note || trans.__('not reported by the driver')}
        </span>
      </Explained>
    );
  }
  return (
    <>
      <p className="jp-mlinfn-Gpu-figure">
        <span>{trans.__('Compute')}</span>
        <strong>
          {utilisation === null
            ? trans.__('not reported')
            : trans.__('%1 of the time', percent(utilisation))}
        </strong>
      </p>
      {end !== null && isCharted && (
        <Chart
          label={trans.__('Compute')}
          points={points}
          valueOf={utilisationOf}
          top={100}
          end={end}
          endLabel={endLabel}
          format={percent}
          trans={trans}
        />
      )}
    </>
  );
}

/**
 * What it is, for those who are asked for it.
 */
function Facts(props: {
  device: IGpuDevice;
  trans: TranslationBundle;
}): JSX.Element {
  const { device, trans } = props;
  const unknown = trans.__('not reported');
  const { slices, board_slices: all, sm_count: units } = device;
  const size = [
    slices === null
      ? ''
      : all === null
        ? trans._n('%1 slice', '%1 slices', slices)
        : trans.__('%1 of %2 slices', String(slices), String(all)),
    units === null
      ? ''
      : trans._n('%1 multiprocessor', '%1 multiprocessors', units)
  ].filter(part => part);
  return (
    <details>
      <summary>
        {device.kind === 'mig'
          ? trans.__('This MIG instance')
          : trans.__('This GPU')}
        {size.length > 0 && `: ${size.join(', ')}`}
      </summary>
      <dl className="jp-mlinfn-Facts">
        <dt>{trans.__('UUID')}</dt>
        <dd className="jp-mlinfn-Facts-item">
          <code>{device.uuid}</code>
          <CopyButton
            text={device.uuid}
            label={trans.__('Copy the UUID')}
            trans={trans}
          />
        </dd>
        {device.kind === 'mig' && (
          <>
            <dt>{trans.__('GPU instance, compute instance')}</dt>
            <dd>
              {device.gi ?? unknown}, {device.ci ?? unknown}
            </dd>
            <dt>{trans.__('Slices')}</dt>
            <dd>{size[0] && slices !== null ? size[0] : unknown}</dd>
          </>
        )}
        <dt>{trans.__('Multiprocessors (SM)')}</dt>
        <dd>{units ?? unknown}</dd>
        <dt>{trans.__('Memory kept by the driver')}</dt>
        <dd>
          {device.memory_reserved === null
            ? unknown
            : formatMemory(device.memory_reserved)}
        </dd>
      </dl>
    </details>
  );
}

/**
 * Figures of the whole board, which say nothing of the user's part of it.
 */
function Board(props: {
  device: IGpuDevice;
  view: IGpuView;
  trans: TranslationBundle;
}): JSX.Element {
  const { device, view, trans } = props;
  const { board } = device;
  const unknown = trans.__('not reported');
  const unit = (value: number | null, name: string): string =>
    value === null ? unknown : `${Math.round(value)} ${name}`;
  const celsius = unit(board.temperature, '°C');
  const power =
    board.power !== null && board.power_limit !== null
      ? trans.__(
          '%1 of %2',
          unit(board.power, 'W'),
          unit(board.power_limit, 'W')
        )
      : unit(board.power, 'W');
  const short = [
    board.temperature === null ? '' : celsius,
    board.power === null ? '' : unit(board.power, 'W')
  ].filter(part => part);
  return (
    <details>
      <summary>
        {device.kind === 'mig'
          ? trans.__('The whole board (shared with others)')
          : trans.__('The board')}
        {short.length > 0 && `: ${short.join(', ')}`}
      </summary>
      <dl className="jp-mlinfn-Facts">
        <dt>{trans.__('Temperature')}</dt>
        <dd>{celsius}</dd>
        <dt>{trans.__('Power')}</dt>
        <dd>{power}</dd>
        <dt>{trans.__('Clock of the multiprocessors')}</dt>
        <dd>{unit(board.sm_clock, 'MHz')}</dd>
        <dt>{trans.__('Clock of the memory')}</dt>
        <dd>{unit(board.memory_clock, 'MHz')}</dd>
        <dt>{trans.__('Error correction (ECC)')}</dt>
        <dd>
          {board.ecc === null
            ? unknown
            : board.ecc
              ? board.ecc_errors === null
                ? trans.__('on')
                : trans._n(
                    'on; %1 uncorrected error since the driver was loaded',
                    'on; %1 uncorrected errors since the driver was loaded',
                    board.ecc_errors
                  )
              : trans.__('off')}
        </dd>
        <dt>{trans.__('Driver')}</dt>
        <dd>{view.driver?.version ?? unknown}</dd>
        <dt>{trans.__('Newest CUDA it supports')}</dt>
        <dd>{view.driver?.cuda ?? unknown}</dd>
      </dl>
    </details>
  );
}
