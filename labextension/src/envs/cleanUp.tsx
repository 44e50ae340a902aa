import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React, { useState } from 'react';

import { MlinfnError } from '../api';
import { ErrorView } from '../errorView';
import { formatBytes } from '../format';
import { useFetched } from '../hooks';
import { IJob } from '../jobs/api';
import { PLAIN, PRIMARY } from '../jobs/jobView';
import { EnvsModel } from './model';
import { IPrune, IPrunePlan, ISpaceUse, SpaceApi } from './spaceApi';

/**
 * What can be cleaned up, and what that frees and forgets, before it is done.
 */
export function CleanUp(props: {
  use: ISpaceUse;
  envs: EnvsModel;
  api: SpaceApi;
  started: (job: IJob) => void;
  cancel: () => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { use, envs, api, trans } = props;
  const [wanted, setWanted] = useState<IPrune>({ cache: true, revisions: [] });
  const [refused, setRefused] = useState<MlinfnError | null>(null);
  const fetched = useFetched(
    async signal => ({ wanted, plan: await api.preview(wanted, signal) }),
    [api, wanted]
  );
  // A plan is shown only with what it is for.
  const plan = fetched.value?.wanted === wanted ? fetched.value.plan : null;
  const error = refused ?? fetched.error;

  const choose = (next: IPrune): void => {
    setRefused(null);
    setWanted(next);
  };
  const isEmpty = !wanted.cache && wanted.revisions.length === 0;
  const forget = (id: string, keepFrom: number, isWanted: boolean): void =>
    choose({
      ...wanted,
      revisions: [
        ...wanted.revisions.filter(other => other.id !== id),
        ...(isWanted ? [{ id, keep_from: keepFrom }] : [])
      ]
    });

  return (
    <form
      className="jp-mlinfn-Change"
      aria-label={trans.__('Clean up')}
      onSubmit={event => {
        event.preventDefault();
        api
          .prune(wanted)
          .then(props.started, thrown => setRefused(MlinfnError.from(thrown)));
      }}
    >
      <h3>{trans.__('Clean up')}</h3>
      <label>
        <input
          type="checkbox"
          checked={wanted.cache}
          onChange={event =>
            choose({ ...wanted, cache: event.currentTarget.checked })
          }
        />{' '}
        {trans.__(
          'Downloaded packages and wheels that no environment and no revision needs'
        )}
      </label>
      {use.environments.map(env => {
        const newest = envs.get(env.id)?.revision ?? null;
        return newest === null || env.revisions < 2 ? null : (
          <label key={env.id}>
            <input
              type="checkbox"
              checked={wanted.revisions.some(({ id }) => id === env.id)}
              onChange={event =>
                forget(env.id, newest, event.currentTarget.checked)
              }
            />{' '}
            {trans.__('All revisions of %1 but the newest', env.label)}
          </label>
        );
      })}
      <div role="status" data-testid="prune-preview">
        {error ? (
          <ErrorView error={error} trans={trans} />
        ) : plan ? (
          <Preview plan={plan} trans={trans} />
        ) : (
          <p className="jp-mlinfn-hint">
            {trans.__('Looking up what that frees…')}
          </p>
        )}
      </div>
      <div className="jp-mlinfn-buttons">
        <Button
          type="submit"
          className={PRIMARY}
          disabled={isEmpty || plan === null || isNothing(plan)}
        >
          {trans.__('Clean up')}
        </Button>
        <Button type="button" className={PLAIN} onClick={props.cancel}>
          {trans.__('Cancel')}
        </Button>
      </div>
    </form>
  );
}

function isNothing({ packages, revisions, freed_bytes }: IPrunePlan): boolean {
  return packages.length === 0 && revisions.length === 0 && freed_bytes === 0;
}

function Preview(props: {
  plan: IPrunePlan;
  trans: TranslationBundle;
}): JSX.Element {
  const { plan, trans } = props;
  return (
    <>
      <p>
        {isNothing(plan)
          ? trans.__('There is nothing to clean up.')
          : trans._n(
              'Frees %2 and %1 file.',
              'Frees %2 and %1 files.',
              plan.freed_files,
              formatBytes(plan.freed_bytes)
            )}
      </p>
      {plan.revisions.map(({ id, label, numbers }) => (
        <p key={id} className="jp-mlinfn-warning">
          {trans._n(
            '%2 can no longer go back to revision %3.',
            '%2 can no longer go back to revisions %3.',
            numbers.length,
            label,
            numbers.join(', ')
          )}
        </p>
      ))}
      {plan.warnings.map(warning => (
        <p key={warning} className="jp-mlinfn-warning">
          {warning}
        </p>
      ))}
      {plan.packages.length > 0 && (
        <details>
          <summary>
            {trans._n(
              '%1 package or wheel goes',
              '%1 packages and wheels go',
              plan.packages.length
            )}
          </summary>
          <ul className="jp-mlinfn-scroll">
            {plan.packages.map(name => (
              <li key={name}>{name}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
