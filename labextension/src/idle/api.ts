import { ServerConnection } from '@jupyterlab/services';

import { request } from '../api';

export type IdlePhase =
  | 'unlimited'
  | 'active'
  | 'idle'
  | 'warned'
  | 'saving'
  | 'rescuing'
  | 'stopping';

export type SignalSource =
  | 'start'
  | 'kernels'
  | 'terminals'
  | 'processes'
  | 'page'
  | 'proxied'
  | 'keepalive'
  | 'other';

export type DeadlineSource =
  | 'policy'
  | 'hub_culler'
  | 'hub_maximum_age'
  | 'server_timeout'
  | 'kernel_culling'
  | 'allocation';

/**
 * What one source knows of activity. Times are ISO 8601, by the server's clock.
 */
export interface IIdleSignal {
  source: SignalSource;
  /** null for never. */
  time: string | null;
  /** A sentence; empty where there is nothing to say. */
  detail: string;
  /** Whether the admin lets it count. */
  counts: boolean;
}

/**
 * Who stops this server, or a kernel, and when.
 */
export interface IIdleDeadline {
  source: DeadlineSource;
  /** Never later than what happens. */
  time: string;
  certainty: 'certain' | 'estimate';
  action: 'stop_server' | 'stop_kernel';
  /** Whether being there moves it. */
  extendable: boolean;
  detail: string;
}

export interface IIdleWarning {
  /** Another one for another end or level. */
  id: string;
  /** 1 is the first and mildest. */
  level: number;
  last?: boolean;
  stops_at: string;
  extendable: boolean;
  reason: string;
}

/**
 * A kernel that runs a cell.
 */
export interface IIdleBusy {
  title: string;
  path: string | null;
  since: string;
}

export interface IIdleAnswer {
  /** Of the server: durations are reckoned from it. */
  now: string;
  phase: IdlePhase;
  /** In the phase `saving`: pages save and answer before. */
  save_by: string | null;
  /** Id of a question to the pages, which documents they have; null for none. */
  asked: string | null;
  last_activity: IIdleSignal;
  signals: IIdleSignal[];
  /** Soonest first. */
  deadlines: IIdleDeadline[];
  /** null where nothing stops this server. */
  next: IIdleDeadline | null;
  warning: IIdleWarning | null;
  /** End of what somebody asked for. */
  kept_until: string | null;
  /** Seconds. */
  policy: {
    timeout: number | null;
    /** Before the end. */
    warnings: number[];
    longest_keep_alive: number;
    /** That a kernel alone may keep the server by being busy; null for no limit. */
    longest_life: number | null;
  };
  busy: IIdleBusy[];
  mail: {
    /** Whether somebody away from the page can be told. */
    configured: boolean;
    sent: string | null;
  };
}

/**
 * The documents of a page, by path.
 */
export interface IDocuments {
  /** With changes that are not saved. */
  unsaved: string[];
  /** All of them. */
  open: string[];
}

/**
 * What became of the documents of a page when it was told to save.
 */
export interface ISaved {
  /** That were open. */
  open?: string[];
  /** That were saved. */
  documents: string[];
  failed: { path: string; reason: string }[];
}

/**
 * What a page has to tell.
 */
export interface IPageReport {
  /** A random id of the page. */
  page: string;
  input_seconds_ago?: number;
  visible?: boolean;
  /** Id of the warning that the page has shown to a person. */
  shown?: string;
  saved?: ISaved;
  /** The answer to a question. */
  documents?: IDocuments & { asked: string };
  closing?: boolean;
}

/**
 * The REST calls of the idle room. All reject with MlinfnError.
 */
export class IdleApi {
  constructor(private settings: ServerConnection.ISettings) {}

  /**
   * @param signal gives it up; it rejects with a DOMException named AbortError then
   */
  read(signal?: AbortSignal): Promise<IIdleAnswer> {
    return request('idle', this.settings, { signal });
  }

  /**
   * Say that somebody is there, or keep the server that many seconds.
   */
  keepAlive(seconds?: number): Promise<IIdleAnswer> {
    const body = JSON.stringify(seconds === undefined ? {} : { seconds });
    return request('idle/keepalive', this.settings, { method: 'POST', body });
  }

  /**
   * Let pages save, then have this server stopped.
   */
  stop(): Promise<IIdleAnswer> {
    return request('idle/stop', this.settings, { method: 'POST', body: '{}' });
  }

  /**
   * A report that the page goes away arrives although the page is no more.
   */
  report(report: IPageReport): Promise<void> {
    return request('idle/page', this.settings, {
      method: 'POST',
      body: JSON.stringify(report),
      keepalive: report.closing ?? false
    });
  }
}
