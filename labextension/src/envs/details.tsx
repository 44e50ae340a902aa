import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React, { useEffect, useState } from 'react';

import { MlinfnError } from '../api';
import { ErrorView } from '../errorView';
import { useFetched } from '../hooks';
import { IJob } from '../jobs/api';
import { PLAIN, PRIMARY } from '../jobs/jobView';
import { EnvironmentActions } from './actions';
import { EnvsApi, IEnvironment, IInstalledPackage } from './api';
import { ChangeModel } from './changeModel';
import { ChangePane } from './changePane';
import { Intent } from './changesApi';
import { DriftBanner } from './driftBanner';
import { Facts, facts } from './facts';
import { GpuCheck } from './gpuCheck';
import { EnvsModel } from './model';
import { PackagesTable } from './packagesTable';
import { Revisions } from './revisions';
import { Tabs } from './tabs';
import { Title } from './title';

/**
 * One environment: what is in it and what can be done with it.
 */
export function Details(props: {
  environment: IEnvironment;
  envs: EnvsModel;
  api: EnvsApi;
  actions: EnvironmentActions;
  /** The job that changes or removes it now. */
  busy: IJob | null;
  /** The check of the GPU that is at work. */
  checking: IJob | null;
  /** The newest check of the GPU, ended or not. */
  checked: IJob | null;
  /** Begin a check of the GPU. */
  check: () => Promise<void>;
  cancel: (job: IJob) => void;
  /** A job was started. */
  started: (job: IJob) => void;
  remove: (environment: IEnvironment) => Promise<void>;
  trans: TranslationBundle;
}): JSX.Element {
  const { envs, api, actions, busy, checking, checked, trans } = props;
  const id = props.environment.id;
  const [refused, setRefused] = useState<MlinfnError | null>(null);
  const [change, setChange] = useState<ChangeModel | null>(null);
  useEffect(() => () => change?.dispose(), [change]);

  // The list is read again when anything changes: what it says then is the newest.
  const { value: details, error } = useFetched(
    () => api.details(id),
    [api, id, props.environment]
  );

  const measured = details?.environment.id === id ? details.environment : null;
  const environment = {
    ...props.environment,
    size: props.environment.size ?? measured?.size ?? null,
    size_own: props.environment.size_own ?? measured?.size_own ?? null
  };
  const { kernels, writer } = environment;
  const current = details?.environment.id === id ? details : null;
  const isMine = environment.origin === 'private';
  const isRemoved = busy?.kind === 'envs.remove';
  const isBlocked = busy !== null || writer !== null;
  const begin = (intent: Intent): void =>
    setChange(
      new ChangeModel(
        {
          preview: (wanted, signal) => api.changes.preview(id, wanted, signal)
        },
        intent
      )
    );
  const attempt = (work: Promise<unknown>): void => {
    setRefused(null);
    work.catch(thrown => setRefused(MlinfnError.from(thrown)));
  };

  return (
    <article className="jp-mlinfn-Details" aria-labelledby="jp-mlinfn-details">
      <Title
        environment={environment}
        relabel={async label => {
          await api.relabel(id, label);
          await envs.refresh();
        }}
        trans={trans}
      />
      <p className="jp-mlinfn-Details-facts">{facts(environment, trans)}</p>
      <div className="jp-mlinfn-buttons">
        {kernels.length > 0 && (
          <Button
            className={PRIMARY}
            disabled={isRemoved}
            onClick={() => attempt(actions.newNotebook(environment))}
          >
            {trans.__('New notebook')}
          </Button>
        )}
        {actions.hasTerminals && (
          <Button
            className={PLAIN}
            disabled={isRemoved}
            onClick={() => attempt(actions.openTerminal(environment))}
          >
            {trans.__('Terminal here')}
          </Button>
        )}
        {environment.python !== null && (
          <Button
            className={PLAIN}
            disabled={isBlocked || checking !== null}
            title={trans.__(
              'Run PyTorch and JAX in it and see whether they can use the GPU'
            )}
            onClick={() => attempt(props.check())}
          >
            {checking ? trans.__('Checking GPU…') : trans.__('Check GPU')}
          </Button>
        )}
        {isMine && environment.adopted && (
          <>
            <Button
              className={PLAIN}
              disabled={isBlocked}
              onClick={() =>
                begin({ action: 'install', specs: [], manager: 'conda' })
              }
            >
              {trans.__('Install…')}
            </Button>
            <Button
              className={PLAIN}
              disabled={isBlocked}
              onClick={() =>
                begin({ action: 'update', specs: [], manager: 'conda' })
              }
            >
              {trans.__('Update all…')}
            </Button>
          </>
        )}
        {isMine && (
          <Button
            className={PLAIN}
            disabled={isBlocked}
            onClick={() => attempt(props.remove(environment))}
          >
            {isRemoved ? trans.__('Removing…') : trans.__('Remove…')}
          </Button>
        )}
      </div>
      {refused && <ErrorView error={refused} trans={trans} />}
      {writer ? (
        <p className="jp-mlinfn-warning" role="status">
          {trans.__(
            'It is being changed by %1 since %2: %3. It can be changed here when that is done.',
            writer.server,
            new Date(writer.since).toLocaleTimeString(undefined, {
              hour: '2-digit',
              minute: '2-digit'
            }),
            writer.title
          )}
        </p>
      ) : (
        busy !== null &&
        !isRemoved && (
          <p className="jp-mlinfn-warning" role="status">
            {trans.__('It is being changed now: %1.', busy.title)}
          </p>
        )
      )}
      {isMine && !environment.adopted && (
        <div className="jp-mlinfn-Notice">
          <p>{trans.__('Made by conda: adopt it to change it here.')}</p>
          <p className="jp-mlinfn-hint">
            {trans.__(
              'What it is now is recorded as its first revision; nothing in it changes.'
            )}
          </p>
          <div className="jp-mlinfn-buttons">
            <Button
              className={PLAIN}
              disabled={isBlocked}
              onClick={() =>
                attempt(api.changes.adopt(id).then(job => props.started(job)))
              }
            >
              {trans.__('Adopt')}
            </Button>
          </div>
        </div>
      )}
      {current?.drift && (
        <DriftBanner
          drift={current.drift}
          revision={environment.revision}
          undo={
            isBlocked
              ? undefined
              : revision => begin({ action: 'rollback', revision })
          }
          trans={trans}
        />
      )}
      {change && (
        <ChangePane
          model={change}
          hasPip={current?.packages.some(isOfPip) ?? false}
          search={(q, signal) => api.search(q, environment.channels, signal)}
          isBlocked={isBlocked}
          start={async (intent, expected) => {
            const job = await api.changes.start(id, intent, expected);
            setChange(null);
            props.started(job);
          }}
          cancel={() => setChange(null)}
          trans={trans}
        />
      )}
      {environment.link_scripts_not_run.length > 0 && (
        <p className="jp-mlinfn-warning">
          {trans.__(
            'The set-up scripts of these packages were not run; should something of them not work, that may be why: %1',
            environment.link_scripts_not_run.join(', ')
          )}
        </p>
      )}

      <GpuCheck
        check={current?.gpu_check ?? null}
        job={checking}
        error={
          checked?.state === 'failed' && checked.error
            ? new MlinfnError(checked.error, 500)
            : null
        }
        cancel={props.cancel}
        trans={trans}
      />

      <Facts
        environment={environment}
        actions={actions}
        attempt={attempt}
        trans={trans}
      />

      <Tabs
        label={trans.__('What is in it')}
        tabs={[
          {
            key: 'packages',
            title: trans.__('Packages'),
            content: error ? (
              <ErrorView error={error} trans={trans} />
            ) : current ? (
              <PackagesTable
                packages={current.packages}
                changes={
                  isMine && environment.adopted
                    ? { begin, disabled: isBlocked }
                    : undefined
                }
                trans={trans}
              />
            ) : (
              <p className="jp-mlinfn-hint" role="status">
                {trans.__('Loading…')}
              </p>
            )
          },
          ...(isMine
            ? [
                {
                  key: 'revisions',
                  title: trans.__('Revisions'),
                  content: (
                    <Revisions
                      environment={environment}
                      api={api}
                      asOf={props.environment}
                      goBack={
                        isBlocked || !environment.adopted
                          ? undefined
                          : revision => begin({ action: 'rollback', revision })
                      }
                      trans={trans}
                    />
                  )
                }
              ]
            : [])
        ]}
      />
    </article>
  );
}

function isOfPip({ manager }: IInstalledPackage): boolean {
  return manager === 'pip';
}
