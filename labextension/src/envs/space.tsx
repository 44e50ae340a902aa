import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React, { useCallback, useEffect, useId, useState } from 'react';

import { MlinfnError } from '../api';
import { ErrorView } from '../errorView';
import { formatBytes } from '../format';
import { IJob } from '../jobs/api';
import { PLAIN } from '../jobs/jobView';
import { CleanUp } from './cleanUp';
import { EnvsModel } from './model';
import { ISpaceUse, SpaceApi } from './spaceApi';

/**
 * What takes the space, and how some of it comes back.
 */
export function Space(props: {
  api: SpaceApi;
  envs: EnvsModel;
  started: (job: IJob) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { api, envs, trans } = props;
  const [use, setUse] = useState<ISpaceUse | null>(null);
  const [error, setError] = useState<MlinfnError | null>(null);
  const [isCleaning, setCleaning] = useState(false);
  const read = useCallback(() => {
    api.use().then(
      found => {
        setUse(found);
        setError(null);
      },
      thrown => setError(MlinfnError.from(thrown))
    );
  }, [api]);
  useEffect(() => {
    read();
    // The list is read again when something was measured, too.
    envs.changed.connect(read);
    return () => {
      envs.changed.disconnect(read);
    };
  }, [envs, read]);

  const bytes = (count: number | null): string =>
    count === null ? trans.__('measuring…') : formatBytes(count);
  // Files count where there is a limit on their number.
  const withFiles = (
    count: number | null,
    files: number | null
  ): JSX.Element => (
    <>
      {bytes(count)}
      {use?.quota && files !== null && (
        <span className="jp-mlinfn-optional">
          {' · ' + trans._n('%1 file', '%1 files', files)}
        </span>
      )}
    </>
  );
  if (use === null) {
    return error ? (
      <ErrorView error={error} trans={trans} />
    ) : (
      <p className="jp-mlinfn-hint" role="status">
        {trans.__('Loading…')}
      </p>
    );
  }
  const { cache, wheels } = use;
  return (
    <article className="jp-mlinfn-Details" aria-labelledby="jp-mlinfn-space">
      <h2 id="jp-mlinfn-space">{trans.__('Space')}</h2>
      <p className="jp-mlinfn-hint">
        {use.free_bytes === null
          ? trans.__('How much is left is not known.')
          : trans.__('%1 left', formatBytes(use.free_bytes))}
        {use.quota &&
          use.free_files !== null &&
          ' · ' +
            trans.__(
              '%1 more files are allowed',
              use.free_files.toLocaleString()
            )}
      </p>
      {error && <ErrorView error={error} trans={trans} />}
      <table className="jp-mlinfn-Table">
        <thead>
          <tr>
            <th scope="col">{trans.__('Environment')}</th>
            <th scope="col" className="jp-mlinfn-number jp-mlinfn-optional">
              {trans.__('Size')}
            </th>
            <th scope="col" className="jp-mlinfn-number">
              {trans.__('Its own')}
            </th>
            <th scope="col" className="jp-mlinfn-number">
              {trans.__('For going back')}
            </th>
          </tr>
        </thead>
        <tbody>
          {use.environments.map(env => (
            <tr key={env.id}>
              <td>{env.label}</td>
              <td className="jp-mlinfn-number jp-mlinfn-optional">
                {bytes(env.size)}
              </td>
              <td className="jp-mlinfn-number">
                {withFiles(env.size_own, env.files_own)}
              </td>
              <td className="jp-mlinfn-number">
                {withFiles(env.revisions_bytes, env.revisions_files)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="jp-mlinfn-hint">
        {trans.__(
          'Its own is what comes back when it is removed; the rest is shared with the cache and other environments.'
        )}
      </p>
      <dl className="jp-mlinfn-Facts">
        <dt>{trans.__('Package cache')}</dt>
        <dd>
          {bytes(cache.size)}
          {cache.unused_bytes !== null &&
            ' · ' +
              trans.__(
                '%1 that nothing needs',
                formatBytes(cache.unused_bytes)
              )}
        </dd>
        <dt>{trans.__('Wheels of pip')}</dt>
        <dd>
          {bytes(wheels.size)}
          {wheels.unused_bytes !== null &&
            ' · ' +
              trans.__(
                '%1 that nothing needs',
                formatBytes(wheels.unused_bytes)
              )}
        </dd>
      </dl>
      <Limit
        limit={use.revisions_limit}
        save={async limit => setUse(await api.setLimit(limit))}
        trans={trans}
      />
      {isCleaning ? (
        <CleanUp
          use={use}
          envs={envs}
          api={api}
          started={props.started}
          cancel={() => setCleaning(false)}
          trans={trans}
        />
      ) : (
        <div className="jp-mlinfn-buttons">
          <Button className={PLAIN} onClick={() => setCleaning(true)}>
            {trans.__('Clean up…')}
          </Button>
        </div>
      )}
    </article>
  );
}

const GB = 1000 ** 3;

/**
 * How much the revisions of all environments may take.
 */
function Limit(props: {
  limit: number | null;
  save: (limit: number | null) => Promise<void>;
  trans: TranslationBundle;
}): JSX.Element {
  const { limit, trans } = props;
  const known =
    limit === null ? '' : String(Math.round((limit / GB) * 100) / 100);
  const [text, setText] = useState(known);
  const [error, setError] = useState<MlinfnError | null>(null);
  const id = useId();
  useEffect(() => setText(known), [known]);
  const number = Number(text);
  const isNumber = text.trim() !== '' && Number.isFinite(number) && number >= 0;
  const save = (value: number | null): void => {
    setError(null);
    props.save(value).catch(thrown => setError(MlinfnError.from(thrown)));
  };
  return (
    <form
      className="jp-mlinfn-Choice"
      onSubmit={event => {
        event.preventDefault();
        if (isNumber) {
          save(Math.round(number * GB));
        }
      }}
    >
      <label htmlFor={id}>
        {trans.__('All that is kept for going back may take, in GB')}
      </label>
      <input
        id={id}
        className="jp-mod-styled jp-mlinfn-Limit"
        type="number"
        min={0}
        step="any"
        value={text}
        onChange={event => setText(event.currentTarget.value)}
      />
      <Button
        type="submit"
        className={PLAIN}
        disabled={!isNumber || text === known}
      >
        {trans.__('Save')}
      </Button>
      <Button type="button" className={PLAIN} onClick={() => save(null)}>
        {trans.__('As the site decided')}
      </Button>
      {error && <ErrorView error={error} trans={trans} />}
    </form>
  );
}
