import { ServerConnection } from '@jupyterlab/services';

import { request } from '../api';

export type StopPhase = 'waiting' | 'saving' | 'rescuing' | 'stopping';

/**
 * Files outside what lasts, made or changed since the server's start.
 */
export interface IEphemeral {
  state: 'unknown' | 'counting' | 'known' | 'failed';
  reason: string;
  counted: string | null;
  files: number;
  bytes: number;
  biggest: { path: string; size: number }[];
  more: number;
}

/**
 * What was copied to where it lasts, and what was not.
 */
export interface IRescued {
  /** Absolute; null where nothing was kept. */
  folder: string | null;
  /** As JupyterLab names it; null where it shows it not. */
  root_path: string | null;
  files: number;
  bytes: number;
  left: { path: string; size: number | null; reason: string }[];
  /** null where nobody knows. */
  left_count: number | null;
  left_bytes: number | null;
  /** Changed while they were copied. */
  changed: string[];
  /** What went wrong with all of it; null for nothing. */
  problem: string | null;
}

export interface IRescue {
  possible: boolean;
  /** Why not. */
  reason: string;
  folder: string;
  limit_bytes: number | null;
}

export interface IGpu {
  name: string;
  /** Bytes; null where not reported. */
  memory_used: number | null;
  memory_total: number | null;
}

/**
 * What holds GPU memory.
 */
export interface IHolder {
  kind: string;
  id: string | null;
  title: string;
  path: string | null;
  memory: number | null;
}

/**
 * A kernel that runs a cell.
 */
export interface IRunning {
  kernel_id: string;
  title: string;
  path: string | null;
  since: string | null;
}

export interface ISessionStop {
  /** null while nobody has asked for it. */
  phase: StopPhase | null;
  /** Titles of what has to finish. */
  waits_for: string[];
  since: string | null;
  /** The rescue's; null where there is none. */
  job: string | null;
  /** Why the last stop was called off by itself; null where it was not. */
  problem: string | null;
}

/**
 * What this server uses, and what would be lost. What is not known is null.
 */
export interface ISessionAnswer {
  now: string;
  server: {
    /** '' for the default one. */
    name: string;
    under_hub: boolean;
    through_hub: boolean | null;
    /** How it is started again. */
    again: { url: string | null; command: string | null };
  };
  resources: {
    gpu: IGpu[];
    cpus: number | null;
    memory_bytes: number | null;
  };
  pages: {
    known: number;
    answered: number;
    silent: number;
    asking: boolean;
    unsaved: string[];
  };
  running: IRunning[];
  holders: IHolder[] | null;
  terminals: { name: string; title: string; programs: string[] }[] | null;
  /** null before it was asked for. */
  files: IEphemeral | null;
  rescue: IRescue | null;
  stop: ISessionStop;
}

/**
 * The end before this start.
 */
export interface IStopped {
  time: string;
  why: string;
  /** In words. */
  sentence: string;
  freed: {
    gpu: string[];
    /** From the stop to this start. */
    seconds_free: number | null;
    slice_hours: number | null;
  };
  rescue: IRescued | null;
  /** Documents, as JupyterLab names them. */
  open: string[];
  saved: string[];
  failed: { path: string; reason: string }[];
  /** Pages that did not answer. */
  silent: number;
  lost: { files: number; bytes: number } | null;
}

/**
 * A volume, as far as this room needs it.
 */
export interface IVolume {
  name: string;
  path: string;
  /** As JupyterLab names it; null where it shows it not. */
  root_path: string | null;
  persistence: 'lasts' | 'ephemeral' | 'unknown';
  free_bytes: number | null;
}

/**
 * The storage, as far as this room needs it.
 */
export interface IStorage {
  volumes: IVolume[];
  /** Where files are kept; null for nowhere. */
  private: { path: string } | null;
}

/**
 * The REST calls of the session room. All reject with MlinfnError.
 */
export class SessionApi {
  constructor(private settings: ServerConnection.ISettings) {}

  read(): Promise<ISessionAnswer> {
    return request('session', this.settings);
  }

  /**
   * Ask all pages for their unsaved documents, and begin to count files.
   */
  survey(): Promise<ISessionAnswer> {
    return this._post('session/survey', {});
  }

  /**
   * @param keep whether files that would be lost are copied to where they last
   */
  stop(when: 'now' | 'finished', keep: boolean): Promise<ISessionAnswer> {
    return this._post('session/stop', { when, keep });
  }

  callOff(): Promise<ISessionAnswer> {
    return request('session/stop', this.settings, { method: 'DELETE' });
  }

  async welcome(): Promise<IStopped | null> {
    const answer = await request<{ stopped: IStopped | null }>(
      'session/welcome',
      this.settings
    );
    return answer.stopped;
  }

  /**
   * It was seen: no page shows it again.
   */
  dismiss(): Promise<void> {
    return this._post('session/welcome', {});
  }

  storage(): Promise<IStorage> {
    return request('storage', this.settings);
  }

  private _post<T>(path: string, body: unknown): Promise<T> {
    return request(path, this.settings, {
      method: 'POST',
      body: JSON.stringify(body)
    });
  }
}
