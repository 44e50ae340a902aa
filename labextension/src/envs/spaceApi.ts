import { ServerConnection } from '@jupyterlab/services';

import { request } from '../api';
import { IJob } from '../jobs/api';

/**
 * What is taken on the disk, in bytes and files net of hard links; null where it
 * is still being measured.
 */
export interface ISpaceUse {
  measured: string | null;
  environments: {
    id: string;
    name: string;
    label: string;
    size: number | null;
    /** What removing it frees. */
    size_own: number | null;
    files_own: number | null;
    revisions: number;
    /** What forgetting its old revisions frees. */
    revisions_bytes: number | null;
    revisions_files: number | null;
  }[];
  cache: {
    display: string;
    size: number | null;
    unused_bytes: number | null;
    unused_packages: number | null;
    unused_files: number | null;
  };
  wheels: { size: number | null; unused_bytes: number | null };
  free_bytes: number | null;
  free_files: number | null;
  /** Whether the volume has a limit on the number of files. */
  quota: boolean;
  revisions_limit: number | null;
}

export interface IPrune {
  /** Packages and wheels that nothing needs. */
  cache: boolean;
  /** Per environment, forget what is older than a revision. */
  revisions: { id: string; keep_from: number }[];
}

export interface IPrunePlan {
  freed_bytes: number;
  freed_files: number;
  packages: string[];
  /** What can no longer be gone back to. */
  revisions: { id: string; label: string; numbers: number[] }[];
  warnings: string[];
}

/**
 * The REST calls about space. All reject with MlinfnError.
 */
export class SpaceApi {
  constructor(private settings: ServerConnection.ISettings) {}

  use(): Promise<ISpaceUse> {
    return request('space', this.settings);
  }

  /**
   * @param bytes that the revisions may take; null for what the site decided
   */
  setLimit(bytes: number | null): Promise<ISpaceUse> {
    const body = JSON.stringify({ revisions_limit: bytes });
    return request('space', this.settings, { method: 'PATCH', body });
  }

  preview(wanted: IPrune, signal: AbortSignal): Promise<IPrunePlan> {
    const body = JSON.stringify({ ...wanted, dry_run: true });
    const init = { method: 'POST', body, signal };
    return request('space/prune', this.settings, init);
  }

  async prune(wanted: IPrune): Promise<IJob> {
    const init = { method: 'POST', body: JSON.stringify(wanted) };
    const path = 'space/prune';
    return (await request<{ job: IJob }>(path, this.settings, init)).job;
  }
}
