import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React from 'react';

import { useSignal } from '../hooks';
import { StatusItem } from '../statusItem';
import { IJob, isActive } from './api';
import { describePhase, fractionDone } from './describe';
import { IJobs } from './tokens';

/**
 * The status bar item while jobs run: Creating myenv 45 %
 */
export class JobsStatus extends StatusItem {
  constructor(jobs: IJobs, trans: TranslationBundle) {
    super();
    this._jobs = jobs;
    this._trans = trans;
    this.addClass('jp-mlinfn-JobsStatus');
    jobs.model.changed.connect(this.onChanged, this);
  }

  get isActive(): boolean {
    return this._jobs.model.jobs.some(isActive);
  }

  protected render(): JSX.Element {
    return <Status jobs={this._jobs} trans={this._trans} />;
  }

  private _jobs: IJobs;
  private _trans: TranslationBundle;
}

function Status(props: {
  jobs: IJobs;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { jobs, trans } = props;
  useSignal(jobs.model.changed);
  const active = jobs.model.jobs.filter(isActive);
  if (active.length === 0) {
    return null;
  }
  // The oldest: it was there first, and stays in its place when another begins.
  const job = active[active.length - 1];
  const presenter = jobs.presenterOf(job);
  const more =
    active.length > 1 ? trans.__(' (+%1 more)', String(active.length - 1)) : '';
  return (
    <Button
      minimal
      className="jp-mlinfn-JobsStatus-button"
      title={trans.__('%1: show its progress', presenter.doing(job))}
      onClick={() => presenter.open(job)}
    >
      {describe(job, presenter.doing(job), trans) + more}
    </Button>
  );
}

function describe(job: IJob, doing: string, trans: TranslationBundle): string {
  const fraction = job.state === 'running' ? fractionDone(job.progress) : null;
  return fraction === null
    ? `${doing} · ${describePhase(job, trans)}`
    : trans.__('%1 %2 %', doing, String(Math.floor(fraction * 100)));
}
