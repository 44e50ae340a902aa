import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React from 'react';

import { useSignal } from '../hooks';
import { IJob, isActive } from '../jobs/api';
import { describeProgress, describeState } from '../jobs/describe';
import { IJobs } from '../jobs/tokens';

/**
 * Recent work, newest first; each entry opens its progress, outcome and log.
 */
export function JobsList(props: {
  jobs: IJobs;
  /** The one that is shown. */
  chosen: string | null;
  /** The entry that the Tab key goes to. */
  tabStop: string | null;
  choose: (job: IJob) => void;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { jobs, chosen, tabStop, choose, trans } = props;
  useSignal(jobs.model.changed);
  const all = jobs.model.jobs;
  if (all.length === 0) {
    return null;
  }
  return (
    <section className="jp-mlinfn-JobsList">
      <h3>{trans.__('Recent work')}</h3>
      <ul>
        {all.map(job => (
          <li key={job.id}>
            <button
              type="button"
              className="jp-mlinfn-Item"
              aria-current={job.id === chosen}
              tabIndex={job.id === tabStop ? 0 : -1}
              onClick={() => choose(job)}
            >
              <span className="jp-mlinfn-Item-label">
                {jobs.presenterOf(job).doing(job)}
              </span>
              <span className="jp-mlinfn-Item-more">
                {isActive(job)
                  ? describeProgress(job, trans)
                  : describeState(job, trans)}
                {' · '}
                {new Date(job.created).toLocaleString(undefined, {
                  dateStyle: 'short',
                  timeStyle: 'short'
                })}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {all.some(job => !isActive(job) && job.state !== 'interrupted') && (
        <Button
          minimal
          small
          className="jp-mlinfn-Link"
          onClick={() => {
            jobs.model.clear().catch(reason => console.warn(reason));
          }}
        >
          {trans.__('Clear what has ended')}
        </Button>
      )}
    </section>
  );
}
