import { IJob } from '../api';

export function job(change: Partial<IJob> = {}): IJob {
  return {
    id: 'j1',
    kind: 'envs.create',
    title: 'Create myenv',
    state: 'running',
    created: '2026-11-23T20:00:00Z',
    started: '2026-11-23T20:00:01Z',
    finished: null,
    progress: null,
    subject: { env_id: 'e1', name: 'myenv', label: 'myenv' },
    result: null,
    error: null,
    warnings: [],
    mine: true,
    ...change
  };
}
