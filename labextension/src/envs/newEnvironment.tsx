import { TranslationBundle } from '@jupyterlab/translation';
import { Button, ReactWidget } from '@jupyterlab/ui-components';
import { ISignal, Signal } from '@lumino/signaling';
import React from 'react';

import { MlinfnError } from '../api';
import { ErrorView } from '../errorView';
import { useSignal } from '../hooks';
import { newEnvironmentIcon } from '../icons';
import { IJob } from '../jobs/api';
import { describeOutcome } from '../jobs/describe';
import { JobView, PLAIN } from '../jobs/jobView';
import { IJobs } from '../jobs/tokens';
import { EnvsApi } from './api';
import { Form } from './form';
import { FormModel, IDraft, NEWEST_PYTHON, NO_PYTHON } from './formModel';
import { EnvsModel, freeLabel } from './model';
import { nameOf } from './specs';

/**
 * What is needed to show the widget again after a reload.
 */
export interface INewEnvironmentState {
  draft: IDraft;
  job: string | null;
}

export interface INewEnvironmentOptions {
  jobs: IJobs;
  envs: EnvsModel;
  api: EnvsApi;
  trans: TranslationBundle;
  draft?: Partial<IDraft>;
  job?: string | null;
  showLog?: boolean;
  /** Show the form with what `job` was started with, instead of its progress. */
  change?: boolean;
}

/**
 * The form for a new environment, and after it the progress of the work.
 */
export class NewEnvironment extends ReactWidget {
  constructor(options: INewEnvironmentOptions) {
    super();
    this._options = options;
    this._jobId = options.job ?? null;
    this._showLog = options.showLog ?? false;
    this._form = new FormModel(options.api, {
      label: this._suggestLabel(),
      ...options.draft
    });
    this._form.changed.connect(() => this._stateChanged.emit());
    const { trans, jobs } = options;
    this.addClass('jp-mlinfn-NewEnvironment');
    this.title.icon = newEnvironmentIcon;
    this.title.label = trans.__('New environment');
    this.title.closable = true;
    this.node.tabIndex = -1;
    jobs.model.changed.connect(this._onJobs, this);
    if (options.change) {
      this.change();
    }
    this._onJobs();
  }

  /**
   * The job whose progress is shown; null while the form is.
   */
  get jobId(): string | null {
    return this._jobId;
  }

  get state(): INewEnvironmentState {
    return { draft: this._form.draft, job: this._jobId };
  }

  /**
   * Emitted when `state` has changed.
   */
  get stateChanged(): ISignal<this, void> {
    return this._stateChanged;
  }

  dispose(): void {
    this._form.dispose();
    Signal.clearData(this);
    super.dispose();
  }

  /**
   * Show the progress of a job.
   */
  showJob(id: string, showLog = false): void {
    this._jobId = id;
    this._showLog = showLog;
    this._onJobs();
    this._stateChanged.emit();
  }

  /**
   * Back to the form with what the job that is shown was started with; a failed
   * one goes when the next is started.
   */
  change(): void {
    const { jobs } = this._options;
    const job = this._jobId === null ? undefined : jobs.model.get(this._jobId);
    if (job) {
      this._superseded = job.id;
      const draft = draftOf(job);
      if (draft) {
        this._form.update(draft);
      }
      this._showForm();
    }
  }

  protected render(): JSX.Element {
    return <Content widget={this} options={this._options} />;
  }

  /**
   * The view of the moment.
   */
  content(): JSX.Element {
    const { jobs, envs, api, trans } = this._options;
    if (this._jobId === null) {
      return (
        <Form
          model={this._form}
          envs={envs}
          api={api}
          submit={() => this._submit()}
          trans={trans}
        />
      );
    }
    const job = jobs.model.get(this._jobId);
    if (job) {
      return (
        <JobView
          key={job.id}
          job={job}
          jobs={jobs}
          trans={trans}
          showLog={this._showLog}
          onResumed={next => this.showJob(next.id)}
          onDiscarded={() => this._close()}
          onChange={() => this.change()}
          changeLabel={trans.__('Change packages')}
        />
      );
    }
    if (!jobs.model.isLoaded) {
      return jobs.model.error ? (
        <ErrorView error={jobs.model.error} trans={trans} />
      ) : (
        <p className="jp-mlinfn-hint">{trans.__('Loading…')}</p>
      );
    }
    return (
      <div>
        <p>{trans.__('This was discarded.')}</p>
        <div className="jp-mlinfn-buttons">
          <Button className={PLAIN} onClick={() => this._showForm()}>
            {trans.__('Back to the form')}
          </Button>
        </div>
      </div>
    );
  }

  private async _submit(): Promise<void> {
    const { api, jobs } = this._options;
    this._form.stop();
    try {
      if (this._superseded) {
        await jobs.model.remove(this._superseded);
        this._superseded = null;
      }
      const job = await api.create(this._form.wanted);
      jobs.model.adopt(job);
      this.showJob(job.id);
      // The focused button is gone: do not drop the user at the page's top.
      this.node.focus();
      void jobs.model.refresh();
    } catch (thrown) {
      this._form.refuse(MlinfnError.from(thrown));
    }
  }

  private _showForm(): void {
    this._jobId = null;
    this._onJobs();
    this._stateChanged.emit();
  }

  private _close(): void {
    (this.parent ?? this).close();
  }

  private _onJobs(): void {
    const { jobs, trans } = this._options;
    const job = this._jobId === null ? undefined : jobs.model.get(this._jobId);
    const presenter = job && jobs.presenterOf(job);
    const title =
      job && presenter
        ? job.state === 'done' || job.state === 'failed'
          ? describeOutcome(job, presenter, trans)
          : presenter.doing(job)
        : trans.__('New environment');
    this.title.label = title;
    const parent = this.parent;
    if (parent) {
      parent.title.label = title;
    }
  }

  private _suggestLabel(): string {
    const { envs, jobs } = this._options;
    const taken = (envs.environments ?? []).map(env => env.name);
    for (const job of jobs.model.jobs) {
      taken.push(String(job.subject.name ?? ''));
    }
    return freeLabel(taken, 'myenv');
  }

  private _options: INewEnvironmentOptions;
  private _form: FormModel;
  private _jobId: string | null;
  private _showLog: boolean;
  private _superseded: string | null = null;
  private _stateChanged = new Signal<this, void>(this);
}

function Content(props: {
  widget: NewEnvironment;
  options: INewEnvironmentOptions;
}): JSX.Element {
  const { widget, options } = props;
  useSignal(options.jobs.model.changed);
  // What can be done after it depends on what is in the environment.
  useSignal(options.envs.changed);
  useSignal(widget.stateChanged);
  return widget.content();
}

/**
 * What the form had in it when the job was started, as far as the job tells.
 */
export function draftOf(job: IJob): Partial<IDraft> | null {
  const { label, specs, channels, pip, cuda } = job.request ?? {};
  if (typeof label !== 'string' || !Array.isArray(specs)) {
    const named = job.subject.label;
    return typeof named === 'string' ? { label: named } : null;
  }
  const all = specs.map(String);
  const [first, ...rest] = all;
  const minor = /^python (\d+\.\d+)\.\*$/.exec(first ?? '')?.[1];
  const hasField = first === 'python' || minor !== undefined;
  const isPythonChip = all.some(spec => nameOf(spec) === 'python') && !hasField;
  return {
    label,
    python: minor ?? (hasField || isPythonChip ? NEWEST_PYTHON : NO_PYTHON),
    specs: hasField ? rest : all,
    channels: Array.isArray(channels) ? channels.map(String).join(', ') : '',
    pip: Array.isArray(pip) ? pip.map(String).join(', ') : '',
    cuda: typeof cuda === 'string' ? cuda : ''
  };
}
