/**
 * For which CUDA packages are chosen, and who says so.
 */
export interface ICuda {
  /** Such as 12.4; null for none: builds that need no GPU. */
  version: string | null;
  source:
    | 'asked'
    | 'environment'
    | 'override'
    | 'site'
    | 'driver'
    | 'remembered'
    | 'none';
  /** When, and on which server of the user, it was seen that is remembered. */
  seen: string | null;
  server: string | null;
  /** Version of the driver that said so. */
  driver: string | null;
  /** Whether this server has a GPU; null while that is not known. */
  here: boolean | null;
  /** Whether that driver is the demo's or the tests'. */
  simulated: boolean;
}

/**
 * A package that was asked for and has builds for CUDA.
 */
export interface ICudaMark {
  name: string;
  /** The build that is chosen. */
  build: 'cuda' | 'cpu';
  /** The CUDA that its build is made with, as far as it says. */
  cuda: string | null;
  /** The CUDA that a driver has to support for its build for CUDA; null where other things are in its way. */
  needs: string | null;
  /** The version that has a build for CUDA, where the chosen one has none. */
  version: string | null;
}

export type GpuVerdict = 'ok' | 'problem' | 'nothing' | 'unchecked';

/**
 * The last check of an environment, in short.
 */
export interface IGpuCheckShort {
  verdict: GpuVerdict;
  /** One sentence. */
  summary: string;
  time: string;
  /** Why it need not hold any more; null where it does. */
  stale: 'environment' | 'driver' | null;
}

/**
 * What was found of one framework.
 */
export interface IGpuFinding {
  framework: string;
  module: string;
  version: string | null;
  /** CPU, CUDA 12.4; null where it could not be told. */
  build: string | null;
  verdict: GpuVerdict;
  reason: string;
  sentence: string;
  /** What to do or to install instead. */
  hint: string;
  device: string | null;
  uuid: string | null;
  /** What the framework said itself. */
  details: string;
  seconds: number;
}

/**
 * The last check of an environment.
 */
export interface IGpuCheck extends IGpuCheckShort {
  server: string;
  revision: number | null;
  driver: {
    cuda: string | null;
    version: string | null;
    simulated: boolean;
  } | null;
  frameworks: IGpuFinding[];
  /** What may use a GPU and is not checked. */
  others: string[];
  notes: string[];
}
