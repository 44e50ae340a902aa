import { ServerConnection } from '@jupyterlab/services';

import { query, request } from '../api';
import { IJob } from '../jobs/api';

/**
 * What becomes of what is written there when the server stops.
 */
export type Persistence = 'lasts' | 'ephemeral' | 'unknown';

export interface IQuota {
  limit_bytes: number | null;
  used_bytes: number | null;
  limit_files: number | null;
  used_files: number | null;
}

/**
 * A folder that matters, and what it lies on; null is not reported.
 */
export interface IVolume {
  /** As the user knows it: private, shared/cms, /tmp */
  name: string;
  path: string;
  /** Below what JupyterLab shows; '' is that itself, null is outside of it. */
  root_path: string | null;
  persistence: Persistence;
  read_only: boolean;
  /** A sentence. */
  why: string;
  /** Of the file system, as the mount table has it. */
  type: string;
  /** silent: it does not answer. */
  state: 'ok' | 'silent';
  size_bytes: number | null;
  used_bytes: number | null;
  free_bytes: number | null;
  files: number | null;
  files_used: number | null;
  files_free: number | null;
  quota: IQuota | null;
}

export interface IFoundFile {
  path: string;
  size: number;
  /** null for a time that no calendar has */
  modified: string | null;
  root_path: string | null;
}

export interface IFoundFolder {
  path: string;
  files: number;
  bytes: number;
}

/**
 * The files that would be lost, as far as they are counted.
 */
export interface IEphemeral {
  state: 'unknown' | 'counting' | 'known' | 'failed';
  reason: string;
  counted: string | null;
  files: number;
  bytes: number;
  biggest: IFoundFile[];
  /** Files that are not among the biggest. */
  more: number;
  /** Those at the top. */
  folders: IFoundFolder[];
  /** What rules leave out; a folder counts as one. */
  ignored: number;
}

/**
 * The folder that lasts; `root_path` as in `IVolume`.
 */
export interface IPrivate {
  path: string;
  root_path: string | null;
}

export interface ILastRescue {
  folder: string;
  time: string;
  files: number;
  bytes: number;
  left: number;
}

export interface IRescueAnswer {
  possible: boolean;
  reason: string;
  /** Where it goes, in words of the user. */
  folder: string;
  limit_bytes: number;
  last: ILastRescue | null;
}

export interface IStorageAnswer {
  volumes: IVolume[];
  ephemeral: IEphemeral;
  private: IPrivate | null;
  rescue: IRescueAnswer;
}

export interface IListing {
  folder: string;
  files: IFoundFile[];
  folders: IFoundFolder[];
  more: number;
}

/**
 * What a path lies on.
 */
export interface IPlace {
  path: string;
  persistence: Persistence;
  why: string;
  volume: string | null;
  private: IPrivate | null;
}

/**
 * What a job of kind `rescue` leaves; null where nothing could be kept.
 */
export interface IRescued {
  folder: string | null;
  root_path: string | null;
  files: number;
  bytes: number;
  manifest: string | null;
  left: { path: string; size: number | null; reason: string }[];
  left_count: number;
  left_bytes: number;
  changed: string[];
  /** Why it is not whole, in words. */
  problem: string | null;
}

/**
 * What is to be kept: all but `except`, or what is named.
 */
export interface IChosen {
  paths: string[] | null;
  except?: string[];
}

/**
 * The REST calls of the room.
 */
export class StorageApi {
  constructor(private settings: ServerConnection.ISettings) {}

  read(): Promise<IStorageAnswer> {
    return request('storage', this.settings);
  }

  /**
   * Begin to count anew; joins a count under way.
   */
  count(): Promise<IStorageAnswer> {
    return request('storage/count', this.settings, {
      method: 'POST',
      body: '{}'
    });
  }

  files(folder: string): Promise<IListing> {
    return request(`storage/files${query({ folder })}`, this.settings);
  }

  /**
   * @param path as JupyterLab names it, without the name of a drive
   */
  place(path: string): Promise<IPlace> {
    return request(`storage/place${query({ path })}`, this.settings);
  }

  /**
   * Begin to copy to what lasts.
   */
  async rescue(chosen: IChosen): Promise<IJob> {
    const init = { method: 'POST', body: JSON.stringify(chosen) };
    return (await request<{ job: IJob }>('storage/rescue', this.settings, init))
      .job;
  }
}
