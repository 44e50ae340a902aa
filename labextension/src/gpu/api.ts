import { ServerConnection } from '@jupyterlab/services';

import { query, request } from '../api';

export type GpuStateKind =
  | 'starting'
  | 'fine'
  | 'memory_low'
  | 'no_library'
  | 'driver_not_loaded'
  | 'version_mismatch'
  | 'no_device'
  | 'no_permission'
  | 'ambiguous'
  | 'lost'
  | 'reset_required'
  | 'hanging'
  | 'mig_destroyed'
  | 'driver_error';

export interface IGpuState {
  kind: GpuStateKind;
  severity: 'ok' | 'info' | 'warn' | 'error';
  sentence: string;
  /** What the user can do; empty where there is nothing to do. */
  next_step: string;
  /** Whether it is about some of several devices only, which the sentence names. */
  partial: boolean;
  since: string;
}

/**
 * The whole board, which others may share; null is what the driver does not report.
 */
export interface IGpuBoard {
  uuid: string | null;
  index: number | null;
  /** °C */
  temperature: number | null;
  /** W */
  power: number | null;
  power_limit: number | null;
  /** MHz */
  sm_clock: number | null;
  memory_clock: number | null;
  ecc: boolean | null;
  /** Uncorrected since the driver was loaded. */
  ecc_errors: number | null;
}

/**
 * A whole GPU or one MIG instance of the user's; sizes in bytes, null is not reported.
 */
export interface IGpuDevice {
  uuid: string;
  kind: 'gpu' | 'mig';
  /** Of the board: A100-PCIE-40GB */
  name: string;
  /** Of a MIG instance: 1g.5gb */
  profile: string | null;
  gi: number | null;
  ci: number | null;
  sm_count: number | null;
  slices: number | null;
  board_slices: number | null;
  memory_total: number | null;
  memory_reserved: number | null;
  memory_used: number | null;
  memory_free: number | null;
  /** Per cent. */
  utilisation: number | null;
  /** Why it is null. */
  utilisation_note: string;
  board: IGpuBoard;
}

export interface IGpuOwner {
  kind: 'notebook' | 'console' | 'kernel' | 'terminal' | 'other';
  /** Of the kernel, or name of the terminal. */
  id: string | null;
  title: string;
  /** Document to open. */
  path: string | null;
}

export interface IGpuProcess {
  pid: number;
  /** null where the driver does not tell. */
  device: string | null;
  memory: number | null;
  /** Why it is null. */
  memory_note: string;
  command: string;
  owner: IGpuOwner;
  note: string;
}

export interface IGpuProcesses {
  time: string | null;
  list: IGpuProcess[];
  /** Used memory that no row accounts for. */
  other_bytes: number | null;
  /** Which part is not known, and why. */
  note: string;
}

export interface IGpuUsage {
  /** When the server started. */
  since: string;
  held_seconds: number | null;
  /** An estimate. */
  used_seconds: number | null;
  memory_seconds: number | null;
  busy_seconds: number | null;
  slices: number | null;
  /** Whether the driver is asked once a minute, without which nothing is counted. */
  accounting: boolean;
}

export interface IGpuView {
  state: IGpuState;
  /** Whether this server has a GPU or ought to have one. */
  present: boolean;
  simulated: boolean;
  driver: { version: string | null; cuda: string | null } | null;
  /** Where it is ambiguous, `devices` are all that may be meant, without figures. */
  selection: { source: string | null; ambiguous: boolean; note: string };
  devices: IGpuDevice[];
  processes: IGpuProcesses;
  usage: IGpuUsage;
}

export interface IGpuSample {
  seq: number;
  time: string;
  device: string;
  used: number | null;
  utilisation: number | null;
}

export interface IGpuAnswer {
  seq: number;
  revision: number;
  samples: IGpuSample[];
  /** null where it is still that of the revision that was sent. */
  view: IGpuView | null;
}

export interface IGpuReleased {
  shut: string[];
  failed: { kernel_id: string; reason: string }[];
  /** Measured; null where the driver did not tell. */
  freed_bytes: number | null;
  /** Why it is null, or that others took more meanwhile; else empty. */
  freed_note: string;
}

/**
 * The REST calls of the gpu room. All reject with MlinfnError.
 */
export class GpuApi {
  constructor(private settings: ServerConnection.ISettings) {}

  /**
   * @param since `seq` of the last answer; 0 for all samples
   * @param revision of the last view; 0 for none
   */
  read(since: number, revision: number): Promise<IGpuAnswer> {
    return request(`gpu${query({ since, revision })}`, this.settings);
  }

  /**
   * Shut kernels down, and measure how much memory comes back.
   */
  release(kernels: string[]): Promise<IGpuReleased> {
    const init = { method: 'POST', body: JSON.stringify({ kernels }) };
    return request('gpu/release', this.settings, init);
  }
}
