import { TranslationBundle } from '@jupyterlab/translation';

import { formatBytes, formatDuration } from '../format';
import { inLength } from '../idle/words';
import { formatMemoryOf } from '../gpu/words';
import {
  IEphemeral,
  IGpu,
  IRescue,
  IRescued,
  ISessionAnswer,
  IStopped,
  IStorage
} from './api';

/** As many names as a line takes. */
export const NAMES = 3;
/** For which a weekday says enough; milliseconds. */
const WEEK = 6 * 24 * 3600 * 1000;

/**
 * Names as a sentence takes them: a, b and c; a, b, c and 4 more.
 */
export function inList(
  names: string[],
  trans: TranslationBundle,
  most = NAMES
): string {
  if (names.length > most) {
    return trans.__(
      '%1 and %2 more',
      names.slice(0, most).join(', '),
      String(names.length - most)
    );
  }
  return names.length < 2
    ? names.join('')
    : trans.__(
        '%1 and %2',
        names.slice(0, -1).join(', '),
        names[names.length - 1]
      );
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/**
 * A GPU and how full it is: MIG 1g.5gb, 3.1 of 4.8 GiB in use
 */
export function describeGpu(
  { memory_total: total, memory_used: used, name }: IGpu,
  trans: TranslationBundle
): string {
  return used === null
    ? name
    : trans.__(
        '%1, %2 in use',
        name,
        formatMemoryOf({ used, total, free: null }, trans)
      );
}

/**
 * 4 cores, 24 GB of memory
 */
export function describeMachine(
  { cpus, memory_bytes: memory }: ISessionAnswer['resources'],
  trans: TranslationBundle
): string[] {
  const told: string[] = [];
  if (cpus !== null) {
    told.push(
      cpus === 1
        ? trans.__('1 core')
        : trans.__('%1 cores', String(Math.round(cpus * 10) / 10))
    );
  }
  if (memory !== null) {
    told.push(trans.__('%1 of memory', formatBytes(memory)));
  }
  return told;
}

/**
 * Everything that is given back, in few words.
 */
export function describeResources(
  resources: ISessionAnswer['resources'],
  trans: TranslationBundle
): string {
  return [
    ...resources.gpu.map(({ name }) => name),
    ...describeMachine(resources, trans)
  ].join(', ');
}

export function inFiles(
  files: number,
  bytes: number,
  trans: TranslationBundle
): string {
  return trans.__(
    '%1 (%2)',
    trans._n('%1 file', '%1 files', files),
    formatBytes(bytes)
  );
}

/**
 * Folders that last and can be seen, outermost only: private/, shared/
 */
export function lastingFolders(storage: IStorage | null): string[] {
  const names = (storage?.volumes ?? [])
    .filter(({ persistence }) => persistence === 'lasts')
    .map(({ root_path: path }) => path ?? '')
    .filter(path => path !== '');
  return Array.from(new Set(names))
    .filter(name => !names.some(other => name.startsWith(`${other}/`)))
    .map(name => `${name}/`);
}

export function describeStays(
  lasting: string[],
  trans: TranslationBundle
): string {
  return lasting.length === 0
    ? trans.__('What is saved in storage that lasts stays.')
    : trans.__(
        '%1 and the environments in there stay.',
        inList(lasting, trans)
      );
}

/**
 * Whether a stop copies files: as long as the server has not said that it does not.
 */
export function keepsAtStop(rescue: IRescue | null): boolean {
  return rescue === null || (rescue.possible && rescue.limit_bytes !== 0);
}

/**
 * Why a stop copies no files, or not all of them; '' where it copies all, or nobody knows.
 */
export function describeFit(
  files: IEphemeral | null,
  rescue: IRescue | null,
  storage: IStorage | null,
  trans: TranslationBundle
): string {
  if (rescue !== null && !rescue.possible) {
    return rescue.reason;
  }
  const limit = rescue?.limit_bytes ?? null;
  if (limit === 0) {
    return trans.__(
      'A stop copies no files here: show them, and keep them before.'
    );
  }
  const bytes = files?.bytes ?? 0;
  const free = freeOf(storage);
  if (limit !== null && bytes > limit && (free === null || limit <= free)) {
    return trans.__(
      'A stop copies up to %1, the smallest files first, and the rest is lost: show the files to keep more.',
      formatBytes(limit)
    );
  }
  return free === null || bytes <= free
    ? ''
    : trans.__(
        'Only %1 are left there: the smallest files are kept first, what does not fit is lost.',
        formatBytes(free)
      );
}

/**
 * Bytes that are left where files are copied to; null where nobody knows.
 */
function freeOf(storage: IStorage | null): number | null {
  const place = storage?.private?.path ?? null;
  if (storage === null || place === null) {
    return null;
  }
  const [volume] = storage.volumes
    .filter(({ path }) =>
      `${place}/`.startsWith(path === '/' ? path : `${path}/`)
    )
    .sort((one, other) => other.path.length - one.path.length);
  return volume?.free_bytes ?? null;
}

/**
 * 3 files (1.2 GB) in private/rescued/2026-11-25
 */
export function describeKept(
  { bytes, files, folder, root_path: path }: IRescued,
  trans: TranslationBundle
): string {
  const amount = inFiles(files, bytes, trans);
  const place = path ?? folder;
  return place === null ? amount : trans.__('%1 in %2', amount, place);
}

/**
 * What was not kept, and why; '' where all was.
 */
export function describeLeft(
  { left, left_bytes: bytes, left_count: count, problem }: IRescued,
  trans: TranslationBundle
): string {
  if (count === 0) {
    return problem ?? '';
  }
  const names = inList(
    left.map(({ path }) => nameOf(path)),
    trans
  );
  const amount =
    count === null
      ? trans.__('how many files is not known')
      : bytes === null
        ? trans._n('%1 file', '%1 files', count)
        : inFiles(count, bytes, trans);
  const reasons = Array.from(new Set(left.map(({ reason }) => reason)));
  return [
    names ? trans.__('%1: %2.', amount, names) : trans.__('%1.', amount),
    problem ?? '',
    ...reasons.slice(0, 2)
  ]
    .filter(part => part)
    .join(' ');
}

/**
 * Rounded down to minutes: less than a minute, 41 min, 3 h 12 min
 */
export function inMinutes(seconds: number, trans: TranslationBundle): string {
  return seconds < 60
    ? trans.__('less than a minute')
    : formatDuration(Math.floor(seconds / 60) * 60, trans);
}

/**
 * How long what was given back was free for others; '' where nobody knows.
 */
export function describeFreed(
  { freed: { gpu, seconds_free: seconds, slice_hours: hours } }: IStopped,
  trans: TranslationBundle
): string {
  if (seconds === null) {
    return '';
  }
  const time = inLength(seconds, trans);
  if (gpu.length === 0) {
    return trans.__('Others could use its resources for %1.', time);
  }
  const names = inList(gpu, trans);
  return hours === null || hours < 0.05
    ? trans.__('%1 was free for others for %2.', names, time)
    : trans.__(
        '%1 was free for others for %2: %3 slice-hours.',
        names,
        time,
        hours >= 10 ? String(Math.round(hours)) : hours.toFixed(1)
      );
}

export function describeLost(
  { bytes, files }: { files: number; bytes: number },
  trans: TranslationBundle
): string {
  return trans.__(
    'Lost: %1 outside the folders that last.',
    inFiles(files, bytes, trans)
  );
}

/**
 * When something was, in a sentence: at 12:51; on Tuesday at 12:51; on 3 Nov at 12:51
 *
 * @param now what today is reckoned from; both in milliseconds since the epoch
 */
export function inSentence(
  time: number,
  now: number,
  trans: TranslationBundle
): string {
  const at = new Date(time);
  const clock = at.toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit'
  });
  if (at.toDateString() === new Date(now).toDateString()) {
    return trans.__('at %1', clock);
  }
  const day = at.toLocaleDateString(
    [],
    now - time < WEEK ? { weekday: 'long' } : { day: 'numeric', month: 'short' }
  );
  return trans.__('on %1 at %2', day, clock);
}
