import { PathExt } from '@jupyterlab/coreutils';
import { TranslationBundle } from '@jupyterlab/translation';

import { formatBytes, formatBytesOf } from '../format';
import {
  IEphemeral,
  ILastRescue,
  IPlace,
  IPrivate,
  IRescued,
  IVolume,
  Persistence
} from './api';

/**
 * Kinds of file systems that people have met; see also filesystems(5).
 */
const NETWORK: { [type: string]: string } = {
  nfs: 'NFS',
  nfs4: 'NFS',
  cifs: 'SMB',
  smb3: 'SMB',
  ceph: 'Ceph',
  'fuse.ceph-fuse': 'Ceph',
  lustre: 'Lustre',
  gpfs: 'GPFS',
  beegfs: 'BeeGFS',
  glusterfs: 'GlusterFS',
  'fuse.glusterfs': 'GlusterFS',
  'fuse.sshfs': 'SSH',
  afs: 'AFS',
  eos: 'EOS'
};

/**
 * The folder's last name, or what stands for it.
 */
export function nameOf(path: string): string {
  return PathExt.basename(path) || path;
}

/**
 * The folder that lasts, as the user knows it.
 */
export function nameOfPrivate(folder: IPrivate | null): string {
  return folder === null
    ? 'private'
    : folder.root_path || nameOf(folder.path) || folder.path;
}

/**
 * A volume as it is shown in the file browser, where it is.
 */
export function nameOfVolume(volume: IVolume): string {
  return volume.root_path || volume.name;
}

/**
 * What becomes of it when the server stops, in two or three words.
 */
export function describePersistence(
  persistence: Persistence,
  trans: TranslationBundle
): string {
  switch (persistence) {
    case 'lasts':
      return trans.__('Lasts');
    case 'ephemeral':
      return trans.__('Does not last');
    default:
      return trans.__('May not last');
  }
}

/**
 * The same in a sentence, with why.
 */
export function explainPlace(place: IPlace, trans: TranslationBundle): string {
  const first =
    place.persistence === 'ephemeral'
      ? trans.__('What is in this folder is gone when this server stops.')
      : trans.__(
          'It is not known whether what is in this folder is still there after this server has stopped.'
        );
  const to =
    place.private === null
      ? ''
      : trans.__('%1 lasts.', nameOfPrivate(place.private));
  return [first, place.why, to].filter(part => part).join(' ');
}

/**
 * Type of a file system in words: network, NFS
 */
export function describeType(type: string, trans: TranslationBundle): string {
  if (type in NETWORK) {
    return trans.__('network, %1', NETWORK[type]);
  }
  if (type.startsWith('cvmfs') || type === 'fuse.cvmfs2') {
    return trans.__('software of the site, CVMFS');
  }
  if (type === 'overlay' || type === 'aufs') {
    return trans.__('part of the container, %1', type);
  }
  if (type === 'tmpfs' || type === 'ramfs') {
    return trans.__('memory, %1', type);
  }
  if (type.startsWith('fuse')) {
    return trans.__('mounted by a program, %1', type);
  }
  return type === '' ? trans.__('type not known') : trans.__('disk, %1', type);
}

/**
 * How much of something is used, for a bar and in words.
 */
export interface IUse {
  /** Between 0 and 1; null where not reported. */
  share: number | null;
  text: string;
  /** Whether it is the user's own limit. */
  isQuota: boolean;
}

/**
 * Space used, of the user's own limit where there is one.
 */
export function spaceOf(volume: IVolume, trans: TranslationBundle): IUse {
  const { quota } = volume;
  if (quota?.limit_bytes && quota.used_bytes !== null) {
    return useOf(
      quota.used_bytes,
      quota.limit_bytes,
      formatBytesOf,
      true,
      trans
    );
  }
  // What is kept for the system is neither used nor free: of both together.
  const { used_bytes: used, free_bytes: free } = volume;
  const total = used === null || free === null ? null : used + free;
  return useOf(used, total, formatBytesOf, false, trans);
}

/**
 * Number of files, likewise.
 */
export function filesOf(volume: IVolume, trans: TranslationBundle): IUse {
  const { quota } = volume;
  if (quota?.limit_files && quota.used_files !== null) {
    return useOf(
      quota.used_files,
      quota.limit_files,
      formatCountOf,
      true,
      trans
    );
  }
  // Some have no limit on their number, and say 0.
  const total = volume.files || null;
  const used = total === null ? null : volume.files_used;
  return useOf(used, total, formatCountOf, false, trans);
}

function useOf(
  used: number | null,
  total: number | null,
  format: typeof formatCountOf,
  isQuota: boolean,
  trans: TranslationBundle
): IUse {
  if (used === null || total === null || total <= 0) {
    return { share: null, text: trans.__('not reported'), isQuota };
  }
  const of = format(used, total, trans);
  return {
    share: Math.min(Math.max(used / total, 0), 1),
    text: isQuota ? trans.__('%1 allowed to you', of) : of,
    isQuota
  };
}

function formatCountOf(
  done: number,
  total: number,
  trans: TranslationBundle
): string {
  return trans.__('%1 of %2', formatCount(done), formatCount(total));
}

/**
 * A number with its thousands apart, in the page's language.
 */
export function formatCount(count: number): string {
  return count.toLocaleString();
}

/**
 * 5,002 files
 */
export function countFiles(files: number, trans: TranslationBundle): string {
  return trans._n('%2 file', '%2 files', files, formatCount(files));
}

/**
 * 3 files, 1.2 GB
 */
export function describeFiles(
  files: number,
  bytes: number,
  trans: TranslationBundle
): string {
  return trans.__('%1, %2', countFiles(files, trans), formatBytes(bytes));
}

/**
 * A moment by the clock, with its day where that is not today's.
 */
export function formatMoment(time: string): string {
  const moment = new Date(time);
  const isToday = moment.toDateString() === new Date().toDateString();
  return isToday
    ? moment.toLocaleTimeString(undefined, { timeStyle: 'short' })
    : moment.toLocaleString(undefined, {
        dateStyle: 'medium',
        timeStyle: 'short'
      });
}

/**
 * What the count has found, in a sentence.
 */
export function describeLosses(
  ephemeral: IEphemeral,
  trans: TranslationBundle
): string {
  return trans.__(
    '%1: made or changed since this server started, outside the folders that last.',
    describeFiles(ephemeral.files, ephemeral.bytes, trans)
  );
}

/**
 * What was kept, in a sentence: never that all is there where it is not.
 */
export function describeRescued(
  { folder, root_path: root, files, bytes, problem }: IRescued,
  trans: TranslationBundle
): string {
  return folder === null || files === 0
    ? problem || trans.__('Nothing was kept')
    : trans.__(
        '%1 kept in %2',
        describeFiles(files, bytes, trans),
        root || folder
      );
}

/**
 * What was left where it is; '' where nothing was.
 */
export function describeLeft(
  { left_count: count, left_bytes: bytes }: IRescued,
  trans: TranslationBundle
): string {
  return count === 0
    ? ''
    : trans._n(
        '%1 file was left where it is (%2)',
        '%1 files were left where they are (%2)',
        count,
        formatBytes(bytes)
      );
}

/**
 * A rescue of before.
 */
export function describeLast(
  last: ILastRescue,
  trans: TranslationBundle
): string {
  const kept = trans.__(
    '%1 on %2',
    describeFiles(last.files, last.bytes, trans),
    formatMoment(last.time)
  );
  return last.left === 0
    ? kept
    : trans.__(
        '%1; %2',
        kept,
        trans._n('%1 file was left', '%1 files were left', last.left)
      );
}

/**
 * Documents that do not last: fit.ipynb, or 3 files
 */
export function describeNotLasting(
  paths: string[],
  trans: TranslationBundle
): string {
  return paths.length === 1
    ? trans.__(
        '%1 is in a folder that does not last: it is gone when this server stops.',
        nameOf(paths[0])
      )
    : trans.__(
        '%1 files are in folders that do not last: they are gone when this server stops.',
        String(paths.length)
      );
}
