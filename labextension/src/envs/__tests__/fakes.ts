import { IEnvironment } from '../api';

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
    ...change
  };
}
