import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React, { useEffect, useRef, useState } from 'react';

import { MlinfnError } from '../api';
import { ErrorView } from '../errorView';
import { formatDuration } from '../format';
import { useSignal } from '../hooks';
import { IJob, isActive } from './api';
import {
  describeOutcome,
  describePhase,
  describeProgress,
  fractionDone,
  secondsTaken
} from './describe';
import { LogView } from './logView';
import { IJobs } from './tokens';

export interface IJobViewProps {
  job: IJob;
  jobs: IJobs;
  trans: TranslationBundle;
  /** Whether the log is open at first. */
  showLog?: boolean;
  /** The job goes on as another one. */
  onResumed: (job: IJob) => void;
  /** The job is discarded. */
  onDiscarded: () => void;
  /** Go back to what it was started with; no such button without it. */
  onChange?: () => void;
  changeLabel?: string;
}

/**
 * Progress of one job, and its outcome with the next steps.
 */
export function JobView(props: IJobViewProps): JSX.Element {
  const { job, jobs, trans } = props;
  useSignal(jobs.model.changed);
  const [logOpen, setLogOpen] = useState(props.showLog ?? false);
  const [refused, setRefused] = useState<MlinfnError | null>(null);
  const attempt = (work: Promise<unknown>): void => {
    setRefused(null);
    work.catch(thrown => setRefused(MlinfnError.from(thrown)));
  };
  const presenter = jobs.presenterOf(job);
  const active = isActive(job);
  const taken = secondsTaken(job);
  const outcome = describeOutcome(job, presenter, trans);

  const section = useRef<HTMLElement>(null);
  useEffect(() => {
    // The button that had the focus may have gone with the job's state.
    if (
      document.activeElement === document.body &&
      section.current?.offsetParent
    ) {
      section.current.focus();
    }
  }, [job.state]);

  const resume = (label: string, primary: boolean): JSX.Element => (
    <Button
      className={primary ? PRIMARY : PLAIN}
      onClick={() =>
        attempt(jobs.model.resume(job.id).then(next => props.onResumed(next)))
      }
    >
      {label}
    </Button>
  );
  const discard = (
    <Button
      className={PLAIN}
      onClick={() =>
        attempt(jobs.model.remove(job.id).then(() => props.onDiscarded()))
      }
    >
      {trans.__('Discard')}
    </Button>
  );
  const change = props.onChange && (
    <Button className={PLAIN} onClick={props.onChange}>
      {props.changeLabel}
    </Button>
  );
  const log = (
    <Button
      className={PLAIN}
      aria-expanded={logOpen}
      onClick={() => setLogOpen(!logOpen)}
    >
      {logOpen
        ? trans.__('Hide log')
        : job.state === 'failed'
          ? trans.__('Show log')
          : trans.__('Log')}
    </Button>
  );

  return (
    <section
      ref={section}
      className="jp-mlinfn-Job"
      data-state={job.state}
      aria-label={active ? presenter.doing(job) : outcome}
      tabIndex={-1}
    >
      {active && <Bar job={job} doing={presenter.doing(job)} trans={trans} />}
      {job.state === 'done' && (
        <p className="jp-mlinfn-Job-outcome">
          <strong>{outcome}</strong>
          {taken !== null &&
            ' ' + trans.__('in %1', formatDuration(taken, trans))}
        </p>
      )}
      {job.state === 'done' && presenter.note?.(job) && (
        <p>{presenter.note(job)}</p>
      )}
      {job.state === 'failed' && (
        <p className="jp-mlinfn-Job-outcome">
          <strong>{outcome}</strong>
        </p>
      )}
      {job.state === 'failed' && (
        <ErrorView
          error={
            job.error ?? {
              message: trans.__('The reason is not known.'),
              reason: null,
              hint: trans.__('The log may tell more.')
            }
          }
          trans={trans}
        />
      )}
      {(job.state === 'cancelled' || job.state === 'interrupted') && (
        <p className="jp-mlinfn-Job-outcome">{outcome}</p>
      )}
      {job.warnings.map(warning => (
        <p key={warning} className="jp-mlinfn-warning">
          {warning}
        </p>
      ))}
      {refused && <ErrorView error={refused} trans={trans} />}
      <div className="jp-mlinfn-buttons">
        {active && (
          <Button
            className={PLAIN}
            disabled={job.state === 'cancelling'}
            onClick={() => attempt(jobs.model.remove(job.id))}
          >
            {trans.__('Cancel')}
          </Button>
        )}
        {job.state === 'done' &&
          presenter.actions(job).map(({ label, run }, index) => (
            <Button
              key={label}
              className={index === 0 ? PRIMARY : PLAIN}
              onClick={run}
            >
              {label}
            </Button>
          ))}
        {job.state === 'failed' && resume(trans.__('Try again'), true)}
        {job.state === 'interrupted' && resume(trans.__('Resume'), true)}
        {(job.state === 'failed' || job.state === 'cancelled') && change}
        {log}
        {(job.state === 'failed' || job.state === 'interrupted') && discard}
      </div>
      {logOpen && (
        <LogView api={jobs.api} jobId={job.id} running={active} trans={trans} />
      )}
      <span className="jp-mlinfn-sr" aria-live="polite">
        {active
          ? `${presenter.doing(job)}: ${describePhase(job, trans)}`
          : outcome}
      </span>
    </section>
  );
}

export const PRIMARY = 'jp-mod-styled jp-mod-accept';
export const PLAIN = 'jp-mod-styled jp-mod-reject';

/**
 * The bar with its text; without a width as long as nobody knows how much is left.
 */
function Bar(props: {
  job: IJob;
  doing: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { job, doing, trans } = props;
  const fraction = job.state === 'running' ? fractionDone(job.progress) : null;
  const percent = fraction === null ? undefined : Math.floor(fraction * 100);
  const text = describeProgress(job, trans);
  return (
    <>
      <div className="jp-mlinfn-Job-text">
        <strong>{doing}</strong> <span>{text}</span>
      </div>
      <div
        className="jp-mlinfn-Bar"
        role="progressbar"
        aria-label={doing}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
        aria-valuetext={text}
        data-indeterminate={percent === undefined}
      >
        <div
          style={{ width: percent === undefined ? undefined : `${percent}%` }}
        />
      </div>
    </>
  );
}
