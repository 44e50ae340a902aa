import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React from 'react';

import { ErrorView } from '../errorView';
import { formatBytes } from '../format';
import { useFetched } from '../hooks';
import { EnvsApi, IEnvironment } from './api';
import { IRevision } from './changesApi';
import { countChanges, describeFiles, Diff } from './diff';

/**
 * What the environment has been, newest first, and the way back to each.
 */
export function Revisions(props: {
  environment: IEnvironment;
  api: EnvsApi;
  /** Another one whenever the list of environments was read again: as it is then, so are the revisions. */
  asOf: unknown;
  /** Begin to go back; undefined while that cannot be done. */
  goBack?: (revision: number) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { environment, api, goBack, trans } = props;
  const { value: list, error } = useFetched(
    () => api.changes.revisions(environment.id),
    [api, environment.id, props.asOf]
  );

  if (error) {
    return <ErrorView error={error} trans={trans} />;
  }
  if (list === null) {
    return (
      <p className="jp-mlinfn-hint" role="status">
        {trans.__('Loading…')}
      </p>
    );
  }
  if (list.revisions.length === 0) {
    return (
      <p className="jp-mlinfn-hint">
        {trans.__(
          'None is recorded yet. The first is what it is when it is changed here for the first time.'
        )}
      </p>
    );
  }
  return (
    <>
      <ol className="jp-mlinfn-Revisions">
        {list.revisions.map(revision => (
          <Row
            key={revision.number}
            revision={revision}
            goBack={goBack}
            trans={trans}
          />
        ))}
      </ol>
      {list.kept_bytes !== null && (
        <p className="jp-mlinfn-hint">
          {list.limit_bytes === null
            ? trans.__('Kept for going back: %1', formatBytes(list.kept_bytes))
            : trans.__(
                'Kept for going back: %1 of at most %2',
                formatBytes(list.kept_bytes),
                formatBytes(list.limit_bytes)
              )}
        </p>
      )}
    </>
  );
}

function Row(props: {
  revision: IRevision;
  goBack?: (revision: number) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { revision, goBack, trans } = props;
  const { number, packages, files } = revision;
  const counts = countChanges(packages);
  const others = describeFiles(files, trans);
  const summary = [counts, ...others].filter(part => part).join(' · ');
  return (
    <li aria-current={revision.current} data-revision={number}>
      <div className="jp-mlinfn-Revisions-head">
        <strong>{String(number)}</strong>
        <span>{describeRevision(revision, trans)}</span>
        {revision.current && (
          <span className="jp-mlinfn-Tag">{trans.__('current')}</span>
        )}
      </div>
      <p className="jp-mlinfn-hint">
        <time dateTime={revision.created}>
          {new Date(revision.created).toLocaleString()}
        </time>
        {revision.by !== 'outside' && ` · ${revision.by}`}
      </p>
      {summary !== '' && (
        <details>
          <summary>{summary}</summary>
          <Diff
            packages={packages}
            files={files}
            isPlan={false}
            trans={trans}
          />
        </details>
      )}
      {!revision.current &&
        (revision.restorable ? (
          <Button
            small
            minimal
            className="jp-mlinfn-Link"
            disabled={goBack === undefined}
            aria-label={trans.__('Go back to revision %1', String(number))}
            onClick={() => goBack?.(number)}
          >
            {trans.__('go back to this')}
          </Button>
        ) : (
          <p className="jp-mlinfn-hint">
            {trans.__(
              'It cannot be gone back to: %1',
              revision.problem ?? trans.__('the reason is not known')
            )}
          </p>
        ))}
    </li>
  );
}

/**
 * What was asked for: installed numpy, scipy
 */
export function describeRevision(
  revision: IRevision,
  trans: TranslationBundle
): string {
  const asked = revision.asked.join(', ');
  switch (revision.action) {
    case 'create':
      return asked ? trans.__('made with %1', asked) : trans.__('made');
    case 'found':
      return trans.__('as it was found');
    case 'adopt':
      return trans.__('adopted from conda');
    case 'install':
      return trans.__('installed %1', asked);
    case 'update':
      return asked ? trans.__('updated %1', asked) : trans.__('updated all');
    case 'remove':
      return trans.__('removed %1', asked);
    case 'rollback':
      return revision.target === null
        ? trans.__('went back')
        : trans.__('went back to revision %1', String(revision.target));
    case 'outside':
      return trans.__('changed outside');
  }
}
