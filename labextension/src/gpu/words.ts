import { TranslationBundle } from '@jupyterlab/translation';

import { formatDuration } from '../format';
import { GpuStateKind, IGpuDevice, IGpuUsage, IGpuView } from './api';
import { IHolder } from './holders';
import { IMemory } from './model';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

/**
 * A number of GiB without its unit: 0.4, 3.1, 141.
 */
export function inGiB(bytes: number): string {
  const value = bytes / GIB;
  return value >= 99.95 ? String(Math.round(value)) : value.toFixed(1);
}

/**
 * An amount of GPU memory as NVIDIA's tools count it, in binary units: 37 MiB, 3.1 GiB.
 */
export function formatMemory(bytes: number): string {
  return bytes > -0.1 * GIB && bytes < 0.1 * GIB
    ? `${Math.round(bytes / MIB)} MiB`
    : `${inGiB(bytes)} GiB`;
}

/**
 * Used and total with one unit: 3.1 of 4.8 GiB.
 */
export function formatMemoryOf(
  { used, total }: IMemory,
  trans: TranslationBundle
): string {
  if (used === null) {
    return total === null
      ? trans.__('not reported')
      : trans.__('not reported, of %1 GiB', inGiB(total));
  }
  return total === null
    ? trans.__('%1, of an amount that is not reported', formatMemory(used))
    : trans.__('%1 of %2 GiB', inGiB(used), inGiB(total));
}

/**
 * As the user knows it: MIG 1g.5gb on A100-PCIE-40GB
 */
export function describeDevice(
  device: IGpuDevice,
  trans: TranslationBundle
): string {
  return device.kind === 'mig'
    ? trans.__('MIG %1 on %2', device.profile ?? '', device.name)
    : device.name;
}

/**
 * The same where there is little room: 1g.5gb
 */
export function shortName(device: IGpuDevice): string {
  return device.profile ?? device.name;
}

/**
 * What tells it from others of the same name, by the driver's own numbers:
 * GPU 0; empty where there are none.
 */
export function numberAmong(
  device: IGpuDevice,
  devices: IGpuDevice[],
  trans: TranslationBundle
): string {
  const alike = devices.filter(
    ({ name, profile }) => name === device.name && profile === device.profile
  );
  if (alike.length < 2) {
    return '';
  }
  const { board, gi } = device;
  return [
    board.index === null ? '' : trans.__('GPU %1', String(board.index)),
    gi === null ? '' : trans.__('instance %1', String(gi))
  ]
    .filter(part => part)
    .join(', ');
}

/**
 * A state in a word or two, to stand after "GPU:".
 */
export function describeState(
  kind: GpuStateKind,
  trans: TranslationBundle
): string {
  const words: { [kind in GpuStateKind]: string } = {
    starting: trans.__('starting'),
    fine: trans.__('fine'),
    memory_low: trans.__('nearly full'),
    no_library: trans.__('no driver library'),
    driver_not_loaded: trans.__('driver not loaded'),
    version_mismatch: trans.__('driver versions differ'),
    no_device: trans.__('none given'),
    no_permission: trans.__('no permission'),
    ambiguous: trans.__('not clear which'),
    lost: trans.__('lost'),
    reset_required: trans.__('needs a reset'),
    hanging: trans.__('driver hangs'),
    mig_destroyed: trans.__('slice is gone'),
    driver_error: trans.__('driver error')
  };
  // A newer server may know more.
  return words[kind] ?? kind;
}

/**
 * Whether the figures say all there is to say.
 */
export function isFine(view: IGpuView): boolean {
  return view.state.kind === 'fine' || view.state.kind === 'memory_low';
}

/**
 * Whether the figures are those of now, of the devices that answer.
 */
export function isReadable(view: IGpuView): boolean {
  const { kind } = view.state;
  return (
    isFine(view) ||
    view.state.partial ||
    kind === 'ambiguous' ||
    kind === 'starting'
  );
}

/**
 * What was held and used since the server started: Held 3 h 12 min · in use 41 min
 */
export function describeUsage(
  { accounting, held_seconds: held, used_seconds: used }: IGpuUsage,
  trans: TranslationBundle
): string {
  const parts = [
    held === null
      ? trans.__('Held: not known')
      : trans.__('Held %1', formatDuration(held, trans)),
    used !== null
      ? used < 60
        ? // One reading a minute tells no more.
          trans.__('in use less than a minute')
        : trans.__('in use about %1', formatDuration(used, trans))
      : accounting
        ? trans.__('in use: not known')
        : trans.__('in use: not counted on this server')
  ];
  return parts.join(' · ');
}

/**
 * The same in slice-hours; empty where slices are not reported.
 */
export function describeSliceHours(
  usage: IGpuUsage,
  trans: TranslationBundle
): string {
  const { held_seconds: held, used_seconds: used, slices } = usage;
  // Not before there is a tenth of one to be told.
  if (slices === null || held === null || held * slices < 360) {
    return '';
  }
  const hours = (seconds: number): string => {
    const value = (seconds / 3600) * slices;
    return value >= 99.95 ? String(Math.round(value)) : value.toFixed(1);
  };
  return used === null
    ? trans.__('%1 slice-hours held', hours(held))
    : trans.__(
        '%1 slice-hours held, about %2 of them in use',
        hours(held),
        hours(used)
      );
}

/**
 * A time of day in the words of the browser's language, with seconds.
 */
export function formatTime(time: number): string {
  return new Date(time).toLocaleTimeString();
}

/**
 * How much a program holds: 2.9 GiB, at least 2.9 GiB, an amount that is not reported
 */
export function describeHeld(
  { memory, isMore }: IHolder,
  trans: TranslationBundle
): string {
  if (memory === null) {
    return trans.__('an amount that is not reported');
  }
  return isMore
    ? trans.__('at least %1', formatMemory(memory))
    : formatMemory(memory);
}
