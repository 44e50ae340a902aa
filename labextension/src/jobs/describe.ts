import { TranslationBundle } from '@jupyterlab/translation';

import { formatBytesOf, formatEstimate } from '../format';
import { IJob, IJobProgress } from './api';
import { IJobPresenter } from './tokens';

/**
 * Of the whole work, as far as packages and bytes tell: loading is the longer part.
 */
const DOWNLOAD_SHARE = 0.7;
const LINK_SHARE = 0.28;

/**
 * How much of the job is done, from 0 to 1; null where nobody can know.
 */
export function fractionDone(progress: IJobProgress | null): number | null {
  switch (progress?.phase) {
    case 'downloading': {
      const share =
        ratio(progress.bytes_done, progress.bytes_total) ??
        ratio(progress.packages_done, progress.packages_total);
      return share === null ? null : share * DOWNLOAD_SHARE;
    }
    case 'linking': {
      const share = ratio(progress.packages_done, progress.packages_total);
      return share === null ? null : DOWNLOAD_SHARE + share * LINK_SHARE;
    }
    case 'copying': {
      const share =
        ratio(progress.bytes_done, progress.bytes_total) ??
        ratio(progress.files_done ?? null, progress.files_total ?? null);
      return share === null ? null : share * (DOWNLOAD_SHARE + LINK_SHARE);
    }
    case 'finishing':
      return DOWNLOAD_SHARE + LINK_SHARE;
    default:
      return null;
  }
}

/**
 * The phase in a word or two.
 */
export function describePhase(job: IJob, trans: TranslationBundle): string {
  if (job.state === 'queued') {
    return trans.__('waiting for its turn');
  }
  if (job.state === 'cancelling') {
    return trans.__('cancelling');
  }
  switch (job.progress?.phase) {
    case 'solving':
      return trans.__('choosing versions');
    case 'downloading':
      return trans.__('downloading');
    case 'linking':
      return trans.__('installing');
    case 'checking':
      return trans.__('checking');
    case 'copying':
      return trans.__('copying');
    case 'finishing':
      return trans.__('finishing');
    default:
      return trans.__('preparing');
  }
}

/**
 * Phase, packages or files, bytes and time left: downloading 31 of 47 · 210 of 312 MB · about 20 s
 */
export function describeProgress(job: IJob, trans: TranslationBundle): string {
  const phase = describePhase(job, trans);
  const progress = job.progress;
  if (job.state !== 'running' || !progress) {
    return phase;
  }
  const [done, total] = countsOf(progress);
  const parts = [
    done !== null && total
      ? trans.__('%1 %2 of %3', phase, String(done), String(total))
      : phase
  ];
  if (
    (progress.phase === 'downloading' || progress.phase === 'copying') &&
    progress.bytes_done !== null &&
    progress.bytes_total
  ) {
    parts.push(formatBytesOf(progress.bytes_done, progress.bytes_total, trans));
  }
  if (progress.seconds_left !== null) {
    parts.push(
      trans.__('about %1', formatEstimate(progress.seconds_left, trans))
    );
  }
  return parts.join(' · ');
}

/**
 * The state of a job that is over, in a word.
 */
export function describeState(job: IJob, trans: TranslationBundle): string {
  switch (job.state) {
    case 'done':
      return trans.__('done');
    case 'failed':
      return trans.__('failed');
    case 'cancelled':
      return trans.__('cancelled');
    case 'interrupted':
      return trans.__('interrupted');
    default:
      return describePhase(job, trans);
  }
}

/**
 * How the job ended, in a sentence that names it; empty as long as it has not.
 */
export function describeOutcome(
  job: IJob,
  presenter: Pick<
    IJobPresenter,
    'doing' | 'done' | 'interrupted' | 'cancelled'
  >,
  trans: TranslationBundle
): string {
  switch (job.state) {
    case 'done':
      return presenter.done(job);
    case 'failed':
      return trans.__('%1 failed', presenter.doing(job));
    case 'cancelled':
      return (
        presenter.cancelled?.(job) ??
        trans.__(
          '%1 was cancelled. Nothing of it was left behind.',
          presenter.doing(job)
        )
      );
    case 'interrupted':
      return presenter.interrupted(job);
    default:
      return '';
  }
}

/**
 * Seconds from the job's start to its end; null where it has not ended.
 */
export function secondsTaken(job: IJob): number | null {
  return job.started && job.finished
    ? (Date.parse(job.finished) - Date.parse(job.started)) / 1000
    : null;
}

/**
 * How many of how many things are done in this phase.
 */
function countsOf(progress: IJobProgress): [number | null, number | null] {
  switch (progress.phase) {
    case 'downloading':
    case 'linking':
      return [progress.packages_done, progress.packages_total];
    case 'copying':
      return [progress.files_done ?? null, progress.files_total ?? null];
    default:
      return [null, null];
  }
}

function ratio(done: number | null, total: number | null): number | null {
  return done === null || !total
    ? null
    : Math.min(1, Math.max(0, done / total));
}
