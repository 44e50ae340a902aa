import { ServerConnection } from '@jupyterlab/services';

import { query, request } from '../api';
import { IJob } from '../jobs/api';
import { ChangesApi, IDrift, IWriter, Manager } from './changesApi';
import { ICuda, ICudaMark, IGpuCheck, IGpuCheckShort } from './cudaApi';
import { SpaceApi } from './spaceApi';

export interface IKernel {
  /** As in /api/kernelspecs. */
  name: string;
  display_name: string;
  language: string;
}

export interface IRunningKernel {
  kernel_id: string;
  name: string;
  /** The document it belongs to. */
  path: string | null;
}

/**
 * An environment; sizes are bytes, null until measured.
 */
export interface IEnvironment {
  id: string;
  name: string;
  label: string;
  prefix: string;
  /** The prefix as the user knows it: private/environments/myenv */
  display: string;
  origin: 'private' | 'shared';
  python: string | null;
  package_count: number;
  created: string | null;
  size: number | null;
  /** What removing it frees. */
  size_own: number | null;
  kernels: IKernel[];
  running: IRunningKernel[];
  requested_specs: string[];
  channels: string[];
  link_scripts_not_run: string[];
  pip_specs: string[];
  /** Whether it may be changed here; conda's own have to be adopted first. */
  adopted: boolean;
  /** Number of the newest revision; null where none is recorded yet. */
  revision: number | null;
  /** Whether it was changed outside since; null until it was looked at. */
  drifted: boolean | null;
  writer: IWriter | null;
  /** The CUDA that its packages are chosen for, or none; null where nobody decided. */
  cuda: string | null;
  /** The last check of the GPU; null where there was none. */
  gpu_check: IGpuCheckShort | null;
}

export interface IInstalledPackage {
  name: string;
  manager: Manager;
  version: string;
  build: string;
  channel: string;
  size: number | null;
  requested: boolean;
}

export interface IEnvironmentDetails {
  environment: IEnvironment;
  packages: IInstalledPackage[];
  drift: IDrift | null;
  gpu_check: IGpuCheck | null;
}

export interface IPlaces {
  private: {
    path: string;
    display: string;
    free_bytes: number | null;
    free_files: number | null;
    writable: boolean;
    problem: string | null;
  };
  shared: string[];
  channels: string[];
}

export interface IEnvironmentList {
  environments: IEnvironment[];
  places: IPlaces;
  cuda: ICuda;
  warnings: string[];
}

export interface INewEnvironment {
  label: string;
  specs: string[];
  channels?: string[];
  /** Requirements that pip installs when the conda packages are there. */
  pip?: string[];
  /** A version of CUDA, or none; what the driver supports where it is left out. */
  cuda?: string;
}

export interface IPlannedPackage {
  name: string;
  version: string;
  build: string;
  channel: string;
  size: number | null;
  cached: boolean;
}

/**
 * What creating an environment would do.
 */
export interface IPlan {
  name: string;
  prefix: string;
  display: string;
  packages: IPlannedPackage[];
  package_count: number;
  download_bytes: number;
  installed_bytes: number;
  installed_files: number;
  /** Whether `installed_bytes` and `installed_files` are estimates. */
  estimated: boolean;
  free_bytes: number | null;
  free_files: number | null;
  fits: boolean;
  specs: string[];
  added_specs: string[];
  cuda: ICuda;
  /** Of the packages asked for, those that have builds for CUDA. */
  cuda_builds: ICudaMark[];
  warnings: string[];
}

export interface IPackageHit {
  name: string;
  version: string;
  summary: string;
  channel: string;
}

/**
 * The REST calls of the environments room. All reject with MlinfnError, and
 * with an AbortError where `signal` ended them.
 */
export class EnvsApi {
  constructor(private settings: ServerConnection.ISettings) {
    this.changes = new ChangesApi(settings);
    this.space = new SpaceApi(settings);
  }

  readonly changes: ChangesApi;
  readonly space: SpaceApi;

  list(): Promise<IEnvironmentList> {
    return request('envs', this.settings);
  }

  details(id: string): Promise<IEnvironmentDetails> {
    return request(this._path(id), this.settings);
  }

  preview(wanted: INewEnvironment, signal: AbortSignal): Promise<IPlan> {
    const body = JSON.stringify({ ...wanted, dry_run: true });
    return request('envs', this.settings, { method: 'POST', body, signal });
  }

  async create(wanted: INewEnvironment): Promise<IJob> {
    const init = { method: 'POST', body: JSON.stringify(wanted) };
    return (await request<{ job: IJob }>('envs', this.settings, init)).job;
  }

  async relabel(id: string, label: string): Promise<IEnvironment> {
    const init = { method: 'PATCH', body: JSON.stringify({ label }) };
    const answer = await request<{ environment: IEnvironment }>(
      this._path(id),
      this.settings,
      init
    );
    return answer.environment;
  }

  /**
   * @param stopKernels shut down the kernels that run in it first;
   * without it they are a 409
   */
  async remove(id: string, stopKernels: boolean): Promise<IJob> {
    const args = query({ stop_kernels: stopKernels ? true : undefined });
    const answer = await request<{ job: IJob }>(
      this._path(id) + args,
      this.settings,
      { method: 'DELETE' }
    );
    return answer.job;
  }

  /**
   * Check whether the frameworks in it can use the GPU: a job.
   */
  async checkGpu(id: string): Promise<IJob> {
    const init = { method: 'POST' };
    const path = `${this._path(id)}/gpu-check`;
    return (await request<{ job: IJob }>(path, this.settings, init)).job;
  }

  async search(
    q: string,
    channels: string[] | undefined,
    signal: AbortSignal
  ): Promise<IPackageHit[]> {
    const args = query({ q, channels: channels?.join(','), limit: 12 });
    const answer = await request<{ packages: IPackageHit[] }>(
      `packages${args}`,
      this.settings,
      { signal }
    );
    return answer.packages;
  }

  /**
   * The versions of a package, newest first.
   */
  async versions(
    name: string,
    channels: string[] | undefined,
    signal: AbortSignal
  ): Promise<string[]> {
    const args = query({ channels: channels?.join(',') });
    const answer = await request<{ versions: string[] }>(
      `packages/${encodeURIComponent(name)}${args}`,
      this.settings,
      { signal }
    );
    return answer.versions;
  }

  private _path(id: string): string {
    return `envs/${encodeURIComponent(id)}`;
  }
}
