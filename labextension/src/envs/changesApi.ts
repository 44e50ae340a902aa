import { ServerConnection } from '@jupyterlab/services';

import { request } from '../api';
import { IJob } from '../jobs/api';
import type { IRunningKernel } from './api';
import { ICudaMark } from './cudaApi';

export type Manager = 'conda' | 'pip';

export type ChangeKind = 'added' | 'newer' | 'older' | 'rebuilt' | 'removed';

/**
 * What happens to one package; `size` are bytes of its archive, null where not known.
 */
export interface IPackageChange {
  name: string;
  manager: Manager;
  change: ChangeKind;
  from_version: string | null;
  to_version: string | null;
  from_build: string | null;
  to_build: string | null;
  size: number | null;
  /** Whether it need not be downloaded. */
  cached: boolean;
  requested: boolean;
}

export interface IChangedFile {
  /** Relative to the prefix. */
  path: string;
  package: string;
}

/**
 * Files that changed without a package having changed; at most 100 of a kind are named.
 */
export interface IFileChanges {
  modified: IChangedFile[];
  missing: IChangedFile[];
  modified_count?: number;
  missing_count?: number;
  /** New files that belong to no package. */
  unowned: number;
}

/**
 * What was changed outside since the newest revision.
 */
export interface IDrift {
  noticed: string;
  /** When the newest of the changed files was written. */
  changed: string | null;
  packages: IPackageChange[];
  files: IFileChanges;
}

/**
 * Who changes an environment now.
 */
export interface IWriter {
  /** As the user knows it: your server gpu */
  server: string;
  since: string;
  /** Whether it is this server. */
  mine: boolean;
  title: string;
}

/**
 * What is asked for: a change of packages, or to go back to a revision.
 */
export type Intent =
  | {
      action: 'install' | 'update' | 'remove';
      /** None with `update` for everything. */
      specs: string[];
      manager: Manager;
    }
  | { action: 'rollback'; revision: number };

export interface IChangePlan {
  action: Intent['action'];
  /** The revision that this starts from. */
  revision: number;
  packages: IPackageChange[];
  files: IFileChanges;
  download_bytes: number | null;
  installed_bytes: number;
  installed_files: number;
  estimated: boolean;
  free_bytes: number | null;
  free_files: number | null;
  fits: boolean;
  specs: string[];
  /** The CUDA that packages are chosen for; null for none. */
  cuda: string | null;
  /** Of the packages asked for that come. */
  cuda_builds: ICudaMark[];
  drift: IDrift | null;
  running: IRunningKernel[];
  warnings: string[];
}

export interface IRevision {
  number: number;
  created: string;
  action:
    | 'create'
    | 'found'
    | 'adopt'
    | 'install'
    | 'update'
    | 'remove'
    | 'rollback'
    | 'outside';
  by: string;
  asked: string[];
  /** Of a rollback, the revision gone back to. */
  target: number | null;
  packages: IPackageChange[];
  files: IFileChanges;
  package_count: number;
  current: boolean;
  restorable: boolean;
  /** Why it cannot be gone back to. */
  problem: string | null;
  kept_bytes: number | null;
}

export interface IRevisionList {
  /** Newest first. */
  revisions: IRevision[];
  drift: IDrift | null;
  kept_bytes: number | null;
  limit_bytes: number | null;
}

/**
 * The REST calls that change an environment. All reject with MlinfnError, and
 * with an AbortError where `signal` ended them.
 */
export class ChangesApi {
  constructor(private settings: ServerConnection.ISettings) {}

  preview(
    id: string,
    intent: Intent,
    signal: AbortSignal
  ): Promise<IChangePlan> {
    const { path, body } = requestOf(id, intent);
    return request(path, this.settings, {
      method: 'POST',
      body: JSON.stringify({ ...body, dry_run: true }),
      signal
    });
  }

  /**
   * @param expected the revision that the user was shown; a 409 if there is another by now
   */
  async start(
    id: string,
    intent: Intent,
    expected: number | null
  ): Promise<IJob> {
    const { path, body } = requestOf(id, intent);
    const sent =
      expected === null ? body : { ...body, expected_revision: expected };
    return this._job(path, sent);
  }

  adopt(id: string): Promise<IJob> {
    return this._job(`envs/${encodeURIComponent(id)}/adopt`);
  }

  revisions(id: string): Promise<IRevisionList> {
    return request(`envs/${encodeURIComponent(id)}/revisions`, this.settings);
  }

  private async _job(path: string, body?: object): Promise<IJob> {
    const init = {
      method: 'POST',
      ...(body ? { body: JSON.stringify(body) } : {})
    };
    return (await request<{ job: IJob }>(path, this.settings, init)).job;
  }
}

function requestOf(id: string, intent: Intent): { path: string; body: object } {
  const env = `envs/${encodeURIComponent(id)}`;
  return intent.action === 'rollback'
    ? { path: `${env}/rollback`, body: { revision: intent.revision } }
    : { path: `${env}/changes`, body: intent };
}
