import {
  IEphemeral,
  IFoundFile,
  IPlace,
  IRescueAnswer,
  IStorageAnswer,
  IVolume
} from '../api';

export function place(change: Partial<IPlace> = {}): IPlace {
  return {
    path: '',
    persistence: 'ephemeral',
    why: 'It is part of the container.',
    volume: 'work',
    private: { path: '/work/private', root_path: 'private' },
    ...change
  };
}

export function volume(change: Partial<IVolume> = {}): IVolume {
  return {
    name: 'private',
    path: '/work/private',
    root_path: 'private',
    persistence: 'lasts',
    read_only: false,
    why: 'A network volume (NFS) of its own.',
    type: 'nfs4',
    state: 'ok',
    size_bytes: 50e9,
    used_bytes: 12e9,
    free_bytes: 38e9,
    files: null,
    files_used: null,
    files_free: null,
    quota: null,
    ...change
  };
}

export function file(path: string, size: number): IFoundFile {
  return {
    path: `/work/${path}`,
    size,
    modified: '2026-11-25T01:00:00Z',
    root_path: path
  };
}

export function ephemeral(change: Partial<IEphemeral> = {}): IEphemeral {
  return {
    state: 'known',
    reason: '',
    counted: '2026-11-25T01:00:00Z',
    files: 2,
    bytes: 1.2e9,
    biggest: [file('model.ckpt', 1e9), file('plots/loss.png', 0.2e9)],
    more: 0,
    folders: [
      { path: '/work', files: 1, bytes: 1e9 },
      { path: '/work/plots', files: 1, bytes: 0.2e9 }
    ],
    ignored: 0,
    ...change
  };
}

export function rescue(change: Partial<IRescueAnswer> = {}): IRescueAnswer {
  return {
    possible: true,
    reason: '',
    folder: 'private/rescued',
    limit_bytes: 1e9,
    last: null,
    ...change
  };
}

export function answer(change: Partial<IStorageAnswer> = {}): IStorageAnswer {
  return {
    volumes: [
      volume(),
      volume({
        name: 'work',
        path: '/work',
        root_path: '',
        persistence: 'ephemeral',
        type: 'overlay',
        why: ''
      })
    ],
    ephemeral: ephemeral(),
    private: { path: '/work/private', root_path: 'private' },
    rescue: rescue(),
    ...change
  };
}
