import { IEnvironment } from '../api';
import { ICuda, IGpuCheck, IGpuFinding } from '../cudaApi';
import { IChangePlan, IFileChanges, IPackageChange } from '../changesApi';

export function environment(change: Partial<IEnvironment> = {}): IEnvironment {
  return {
    id: 'e1',
    name: 'myenv',
    label: 'myenv',
    prefix: '/home/private/environments/myenv',
    display: 'private/environments/myenv',
    origin: 'private',
    python: '3.12.8',
    package_count: 47,
    created: '2026-11-23T20:00:00Z',
    size: 137_000_000,
    size_own: 8_600_000,
    kernels: [
      {
        name: 'conda-env-myenv-py',
        display_name: 'Python [conda env:myenv]',
        language: 'python'
      }
    ],
    running: [],
    requested_specs: ['python'],
    channels: ['conda-forge'],
    link_scripts_not_run: [],
    pip_specs: [],
    adopted: true,
    revision: 3,
    drifted: false,
    writer: null,
    cuda: null,
    gpu_check: null,
    ...change
  };
}

export function cuda(change: Partial<ICuda> = {}): ICuda {
  return {
    version: '12.4',
    source: 'driver',
    seen: null,
    server: null,
    driver: '550.54.15',
    here: true,
    simulated: false,
    ...change
  };
}

export function gpuFinding(change: Partial<IGpuFinding> = {}): IGpuFinding {
  return {
    framework: 'PyTorch',
    module: 'torch',
    version: '2.5.1',
    build: 'CUDA 12.4',
    verdict: 'ok',
    reason: 'fine',
    sentence: 'PyTorch 2.5.1 computes on A100.',
    hint: '',
    device: 'A100',
    uuid: 'MIG-1',
    details: '',
    seconds: 3.2,
    ...change
  };
}

export function gpuCheck(change: Partial<IGpuCheck> = {}): IGpuCheck {
  return {
    verdict: 'ok',
    summary: 'PyTorch 2.5.1 computes on A100.',
    time: '2026-11-12T09:30:00.000Z',
    stale: null,
    server: 'your server gpu',
    revision: 3,
    driver: { cuda: '12.4', version: '550.54.15', simulated: false },
    frameworks: [gpuFinding()],
    others: [],
    notes: [],
    ...change
  };
}

export const NO_FILES: IFileChanges = { modified: [], missing: [], unowned: 0 };

export function packageChange(
  change: Partial<IPackageChange> = {}
): IPackageChange {
  return {
    name: 'numpy',
    manager: 'conda',
    change: 'added',
    from_version: null,
    to_version: '2.1.0',
    from_build: null,
    to_build: '0',
    size: 8_000_000,
    cached: false,
    requested: true,
    ...change
  };
}

export function changePlan(change: Partial<IChangePlan> = {}): IChangePlan {
  return {
    action: 'install',
    revision: 3,
    packages: [packageChange()],
    files: NO_FILES,
    download_bytes: 8_000_000,
    installed_bytes: 30_000_000,
    installed_files: 900,
    estimated: true,
    free_bytes: 2_000_000_000,
    free_files: null,
    fits: true,
    specs: ['python', 'numpy'],
    cuda: null,
    cuda_builds: [],
    drift: null,
    running: [],
    warnings: [],
    ...change
  };
}
