import { TranslationBundle } from '@jupyterlab/translation';
import { Button, ReactWidget } from '@jupyterlab/ui-components';
import { ISignal, Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import React, { useEffect, useRef } from 'react';

import { ErrorView } from '../errorView';
import { formatBytes } from '../format';
import { useSignal } from '../hooks';
import { environmentIcon } from '../icons';
import { IJob } from '../jobs/api';
import { JobView, PLAIN, PRIMARY } from '../jobs/jobView';
import { IJobs } from '../jobs/tokens';
import { EnvironmentActions } from './actions';
import { EnvsApi, IEnvironment } from './api';
import { Details } from './details';
import { GpuBadge } from './gpuCheck';
import { CHANGES, CHECKS, jobAt, lastCheck } from './jobsAt';
import { JobsList } from './jobsList';
import { EnvsModel } from './model';
import { confirmRemoval } from './removeDialog';
import { moveFocus } from './roving';
import { Space } from './space';

/**
 * Below this width, in pixels, the list stands above the details.
 */
const NARROW = 560;

export interface IPanelOptions {
  jobs: IJobs;
  envs: EnvsModel;
  api: EnvsApi;
  actions: EnvironmentActions;
  trans: TranslationBundle;
}

/**
 * What is shown beside the list.
 */
type Choice = { env: string } | { job: string } | { space: true } | null;

/**
 * The environments, and one of them closely.
 */
export class EnvironmentsPanel extends ReactWidget {
  constructor(options: IPanelOptions) {
    super();
    this._options = options;
    this.addClass('jp-mlinfn-Environments');
    this.title.icon = environmentIcon;
    this.title.label = options.trans.__('Environments');
    this.title.closable = true;
  }

  /**
   * The environment that is shown; null for none.
   */
  get chosenId(): string | null {
    return this._choice && 'env' in this._choice ? this._choice.env : null;
  }

  /**
   * The job that is shown; null for none.
   */
  get chosenJob(): string | null {
    return this._choice && 'job' in this._choice ? this._choice.job : null;
  }

  /**
   * Whether it is shown what takes the space.
   */
  get showsSpace(): boolean {
    return this._choice !== null && 'space' in this._choice;
  }

  get stateChanged(): ISignal<this, void> {
    return this._stateChanged;
  }

  choose(choice: Choice): void {
    this._choice = choice;
    this._stateChanged.emit();
  }

  async remove(environment: IEnvironment): Promise<void> {
    const { api, jobs, trans } = this._options;
    if (await confirmRemoval(environment, trans)) {
      const job = await api.remove(
        environment.id,
        environment.running.length > 0
      );
      jobs.model.adopt(job);
      this.choose({ job: job.id });
    }
  }

  dispose(): void {
    Signal.clearData(this);
    super.dispose();
  }

  protected onResize(msg: Widget.ResizeMessage): void {
    super.onResize(msg);
    const width = msg.width < 0 ? this.node.clientWidth : msg.width;
    this.toggleClass('jp-mod-narrow', width < NARROW);
  }

  protected onAfterShow(): void {
    void this._options.envs.refresh();
  }

  protected render(): JSX.Element {
    return <Content panel={this} options={this._options} />;
  }

  private _options: IPanelOptions;
  private _choice: Choice = null;
  private _stateChanged = new Signal<this, void>(this);
}

function Content(props: {
  panel: EnvironmentsPanel;
  options: IPanelOptions;
}): JSX.Element {
  const { panel, options } = props;
  const { envs, jobs, actions, trans } = options;
  useSignal(envs.changed);
  useSignal(jobs.model.changed);
  useSignal(panel.stateChanged);

  const shown = useRef<HTMLDivElement>(null);
  const choice =
    panel.chosenId ?? panel.chosenJob ?? (panel.showsSpace ? 'space' : null);
  useEffect(() => {
    // Where the list stands above, what was chosen would be out of sight.
    if (choice !== null && panel.hasClass('jp-mod-narrow')) {
      shown.current?.scrollIntoView({ block: 'start' });
    }
    // What had the focus went with what was shown before.
    if (panel.isVisible && document.activeElement === document.body) {
      shown.current?.focus();
    }
  }, [panel, choice]);

  const { environments, error, places } = envs;
  if (environments === null) {
    return error ? (
      <ErrorView error={error} trans={trans}>
        <div className="jp-mlinfn-buttons">
          <Button className={PLAIN} onClick={() => void envs.refresh()}>
            {trans.__('Try again')}
          </Button>
        </div>
      </ErrorView>
    ) : (
      <p className="jp-mlinfn-hint" role="status">
        {trans.__('Loading…')}
      </p>
    );
  }
  const mine = environments.filter(env => env.origin === 'private');
  const shared = environments.filter(env => env.origin === 'shared');
  const job = panel.chosenJob ? jobs.model.get(panel.chosenJob) : undefined;
  const chosen =
    environments.find(env => env.id === panel.chosenId) ??
    (job || panel.showsSpace ? undefined : environments[0]);
  // One stop of the Tab key for the whole list; arrow keys move in it.
  const tabStop = job?.id ?? chosen?.id ?? jobs.model.jobs[0]?.id ?? null;
  const started = (next: IJob): void => {
    jobs.model.adopt(next);
    panel.choose({ job: next.id });
  };
  const create = (
    <Button className={PRIMARY} onClick={() => void actions.newEnvironment()}>
      {trans.__('New environment')}
    </Button>
  );
  const list = (title: string, listed: IEnvironment[]): JSX.Element => (
    <EnvironmentList
      title={title}
      environments={listed}
      chosen={chosen?.id ?? null}
      tabStop={tabStop}
      choose={env => panel.choose({ env: env.id })}
      trans={trans}
    />
  );

  return (
    <>
      <nav
        className="jp-mlinfn-Environments-list"
        aria-label={trans.__('Environments')}
        onKeyDown={moveFocus}
      >
        {(environments.length > 0 || job) && create}
        {error && <ErrorView error={error} trans={trans} />}
        {mine.length > 0 && list(trans.__('Mine'), mine)}
        {shared.length > 0 && list(trans.__('Shared'), shared)}
        <JobsList
          jobs={jobs}
          chosen={job?.id ?? null}
          tabStop={tabStop}
          choose={({ id }) => panel.choose({ job: id })}
          trans={trans}
        />
        {places && places.private.free_bytes !== null && (
          <p className="jp-mlinfn-hint">
            {trans.__(
              '%1 left in %2',
              formatBytes(places.private.free_bytes),
              places.private.display
            )}
          </p>
        )}
        <Button
          minimal
          small
          className="jp-mlinfn-Link"
          aria-current={panel.showsSpace}
          onClick={() => panel.choose({ space: true })}
        >
          {trans.__('What takes the space…')}
        </Button>
        {places?.private.problem && (
          <p className="jp-mlinfn-warning">{places.private.problem}</p>
        )}
        {envs.warnings.map(warning => (
          <p key={warning} className="jp-mlinfn-warning">
            {warning}
          </p>
        ))}
      </nav>
      <div ref={shown} className="jp-mlinfn-Environments-chosen" tabIndex={-1}>
        {panel.showsSpace ? (
          <Space
            api={options.api.space}
            envs={envs}
            started={started}
            trans={trans}
          />
        ) : job ? (
          <JobView
            key={job.id}
            job={job}
            jobs={jobs}
            trans={trans}
            onResumed={next => panel.choose({ job: next.id })}
            onDiscarded={() => panel.choose(null)}
            onChange={
              job.kind === 'envs.create'
                ? () =>
                    void actions.newEnvironment({ job: job.id, change: true })
                : undefined
            }
            changeLabel={trans.__('Change packages')}
          />
        ) : chosen ? (
          <Details
            key={chosen.id}
            environment={chosen}
            envs={envs}
            api={options.api}
            actions={actions}
            busy={jobAt(chosen, jobs.model.jobs, CHANGES)}
            checking={jobAt(chosen, jobs.model.jobs, CHECKS)}
            checked={lastCheck(chosen, jobs.model.jobs)}
            check={async () => {
              // So that it is known to be looked at.
              panel.choose({ env: chosen.id });
              jobs.model.adopt(await options.api.checkGpu(chosen.id));
            }}
            cancel={job => void jobs.model.remove(job.id)}
            started={started}
            remove={environment => panel.remove(environment)}
            trans={trans}
          />
        ) : (
          <div className="jp-mlinfn-Empty">
            <environmentIcon.react tag="div" width="48px" height="48px" />
            <h2>{trans.__('No environment yet')}</h2>
            <p>
              {trans.__(
                'An environment holds the packages of one project, apart from all others. Name one, list the packages, and its kernel is in the launcher a minute later.'
              )}
            </p>
            {create}
          </div>
        )}
      </div>
    </>
  );
}

function EnvironmentList(props: {
  title: string;
  environments: IEnvironment[];
  chosen: string | null;
  /** The entry that the Tab key goes to. */
  tabStop: string | null;
  choose: (environment: IEnvironment) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { title, environments, chosen, tabStop, choose, trans } = props;
  return (
    <section>
      <h3>{title}</h3>
      <ul>
        {environments.map(env => (
          <li key={env.id}>
            <button
              type="button"
              className="jp-mlinfn-Item"
              aria-current={env.id === chosen}
              tabIndex={env.id === tabStop ? 0 : -1}
              title={env.display}
              onClick={() => choose(env)}
            >
              <span className="jp-mlinfn-Item-label">
                {env.label}
                {env.running.length > 0 && (
                  <span
                    className="jp-mlinfn-Dot"
                    role="img"
                    aria-label={trans._n(
                      '%1 kernel running',
                      '%1 kernels running',
                      env.running.length
                    )}
                  />
                )}
                {env.gpu_check && env.gpu_check.verdict !== 'nothing' && (
                  <GpuBadge check={env.gpu_check} trans={trans} />
                )}
                {env.drifted && (
                  <span
                    className="jp-mlinfn-Tag jp-mod-warn"
                    title={trans.__('It was changed outside')}
                  >
                    {trans.__('changed outside')}
                  </span>
                )}
              </span>
              <span className="jp-mlinfn-Item-more">
                {[
                  env.python === null
                    ? trans.__('no Python')
                    : trans.__('Python %1', env.python),
                  env.size === null ? '' : formatBytes(env.size)
                ]
                  .filter(part => part)
                  .join(' · ')}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
