import { IEnvironment } from '../api';
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
    drift: null,
    running: [],
    warnings: [],
    ...change
  };
}
