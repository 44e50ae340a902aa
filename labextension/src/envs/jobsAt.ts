import { IJob, isActive } from '../jobs/api';
import { IEnvironment } from './api';

/**
 * Kinds of jobs that change an environment.
 */
export const CHANGES = ['envs.remove', 'envs.change'];

/**
 * Those that look whether it can use the GPU.
 */
export const CHECKS = ['envs.gpu_check'];

/**
 * The job of one of these kinds that is at work on it now.
 */
export function jobAt(
  environment: IEnvironment,
  jobs: ReadonlyArray<IJob>,
  kinds: string[]
): IJob | null {
  return (
    jobs.find(
      job =>
        kinds.includes(job.kind) &&
        isActive(job) &&
        job.subject.env_id === environment.id
    ) ?? null
  );
}

/**
 * The newest check of it, ended or not.
 */
export function lastCheck(
  environment: IEnvironment,
  jobs: ReadonlyArray<IJob>
): IJob | null {
  return (
    jobs.find(
      job => CHECKS.includes(job.kind) && job.subject.env_id === environment.id
    ) ?? null
  );
}
