import { Clipboard } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { Button, copyIcon, editIcon } from '@jupyterlab/ui-components';
import React, { useEffect, useRef, useState } from 'react';

import { MlinfnError } from '../api';
import { ErrorView } from '../errorView';
import { formatBytes } from '../format';
import { PLAIN, PRIMARY } from '../jobs/jobView';
import { EnvironmentActions } from './actions';
import { EnvsApi, IEnvironment, IEnvironmentDetails } from './api';
import { EnvsModel } from './model';
import { PackagesTable } from './packagesTable';

/**
 * One environment: what is in it and what can be done with it.
 */
export function Details(props: {
  environment: IEnvironment;
  envs: EnvsModel;
  api: EnvsApi;
  actions: EnvironmentActions;
  /** A job removes it now. */
  isBusy: boolean;
  remove: (environment: IEnvironment) => Promise<void>;
  trans: TranslationBundle;
}): JSX.Element {
  const { envs, api, actions, isBusy, trans } = props;
  const id = props.environment.id;
  const [details, setDetails] = useState<IEnvironmentDetails | null>(null);
  const [error, setError] = useState<MlinfnError | null>(null);
  const [refused, setRefused] = useState<MlinfnError | null>(null);

  // The list is read again when anything changes: what it says then is the newest.
  useEffect(() => {
    let isCurrent = true;
    api.details(id).then(
      found => {
        if (isCurrent) {
          setDetails(found);
          setError(null);
        }
      },
      thrown => {
        if (isCurrent) {
          setError(MlinfnError.from(thrown));
        }
      }
    );
    return () => {
      isCurrent = false;
    };
  }, [api, id, props.environment]);

  const measured = details?.environment.id === id ? details.environment : null;
  const environment = {
    ...props.environment,
    size: props.environment.size ?? measured?.size ?? null,
    size_own: props.environment.size_own ?? measured?.size_own ?? null
  };
  const { kernels, running } = environment;
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
            disabled={isBusy}
            onClick={() => attempt(actions.newNotebook(environment))}
          >
            {trans.__('New notebook')}
          </Button>
        )}
        {actions.hasTerminals && (
          <Button
            className={PLAIN}
            disabled={isBusy}
            onClick={() => attempt(actions.openTerminal(environment))}
          >
            {trans.__('Terminal here')}
          </Button>
        )}
        {environment.origin === 'private' && (
          <Button
            className={PLAIN}
            disabled={isBusy}
            onClick={() => attempt(props.remove(environment))}
          >
            {isBusy ? trans.__('Removing…') : trans.__('Remove…')}
          </Button>
        )}
      </div>
      {refused && <ErrorView error={refused} trans={trans} />}
      {environment.link_scripts_not_run.length > 0 && (
        <p className="jp-mlinfn-warning">
          {trans.__(
            'The set-up scripts of these packages were not run; should something of them not work, that may be why: %1',
            environment.link_scripts_not_run.join(', ')
          )}
        </p>
      )}

      <dl className="jp-mlinfn-Facts">
        <dt>{trans.__('Kernels')}</dt>
        <dd>
          {kernels.length === 0
            ? trans.__('none: there is no kernel package in it')
            : kernels.map(kernel => (
                <div key={kernel.name} className="jp-mlinfn-Facts-item">
                  <span title={kernel.name}>{kernel.display_name}</span>
                  {kernels.length > 1 && (
                    <Button
                      small
                      className={PLAIN}
                      aria-label={trans.__(
                        'New notebook with %1',
                        kernel.display_name
                      )}
                      onClick={() =>
                        attempt(actions.newNotebook(environment, kernel.name))
                      }
                    >
                      {trans.__('New notebook')}
                    </Button>
                  )}
                </div>
              ))}
        </dd>
        {running.length > 0 && (
          <>
            <dt>{trans.__('Running')}</dt>
            <dd>
              {running.map(kernel => (
                <div key={kernel.kernel_id} className="jp-mlinfn-Facts-item">
                  {kernel.path === null ? (
                    kernel.name
                  ) : (
                    <Button
                      minimal
                      small
                      className="jp-mlinfn-Link"
                      title={trans.__('Open %1', kernel.path)}
                      onClick={() =>
                        attempt(actions.openDocument(kernel.path ?? ''))
                      }
                    >
                      {kernel.path}
                    </Button>
                  )}
                </div>
              ))}
            </dd>
          </>
        )}
        <dt>{trans.__('Size')}</dt>
        <dd>{describeSize(environment, trans)}</dd>
        <dt>{trans.__('Channels')}</dt>
        <dd>{environment.channels.join(', ') || trans.__('not known')}</dd>
        {environment.created && (
          <>
            <dt>{trans.__('Made')}</dt>
            <dd>
              <time dateTime={environment.created}>
                {new Date(environment.created).toLocaleString()}
              </time>
            </dd>
          </>
        )}
        <dt>{trans.__('Folder')}</dt>
        <dd className="jp-mlinfn-Facts-item">
          <code title={environment.prefix}>{environment.display}</code>
          <CopyButton text={environment.prefix} trans={trans} />
        </dd>
      </dl>

      {error ? (
        <ErrorView error={error} trans={trans} />
      ) : details?.environment.id === id ? (
        <PackagesTable packages={details.packages} trans={trans} />
      ) : (
        <p className="jp-mlinfn-hint" role="status">
          {trans.__('Loading…')}
        </p>
      )}
    </article>
  );
}

/**
 * private · Python 3.12.8 · 1.1 GB · 2 kernels running
 */
export function facts(
  environment: IEnvironment,
  trans: TranslationBundle
): string {
  const running = environment.running.length;
  return [
    environment.origin === 'private' ? trans.__('private') : trans.__('shared'),
    environment.python === null
      ? trans.__('no Python')
      : trans.__('Python %1', environment.python),
    environment.size === null ? '' : formatBytes(environment.size),
    running > 0
      ? trans._n('%1 kernel running', '%1 kernels running', running)
      : ''
  ]
    .filter(part => part)
    .join(' · ');
}

function describeSize(
  environment: IEnvironment,
  trans: TranslationBundle
): string {
  const { size, size_own, origin } = environment;
  if (size === null) {
    return trans.__('measuring…');
  }
  if (origin === 'shared' || size_own === null) {
    return formatBytes(size);
  }
  return trans.__(
    '%1, of these %2 its own; the rest is shared with the cache and other environments',
    formatBytes(size),
    formatBytes(size_own)
  );
}

/**
 * The label, which can be changed in place.
 */
function Title(props: {
  environment: IEnvironment;
  relabel: (label: string) => Promise<void>;
  trans: TranslationBundle;
}): JSX.Element {
  const { environment, relabel, trans } = props;
  const [text, setText] = useState<string | null>(null);
  const [error, setError] = useState<MlinfnError | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const isEditing = text !== null;
  useEffect(() => input.current?.select(), [isEditing]);

  const save = async (): Promise<void> => {
    const label = (text ?? '').trim();
    try {
      if (label !== '' && label !== environment.label) {
        await relabel(label);
      }
      setText(null);
      setError(null);
    } catch (thrown) {
      setError(MlinfnError.from(thrown));
    }
  };

  if (!isEditing) {
    return (
      <div className="jp-mlinfn-Details-title">
        <h2 id="jp-mlinfn-details">{environment.label}</h2>
        {environment.origin === 'private' && (
          <Button
            minimal
            small
            title={trans.__('Change the label')}
            aria-label={trans.__('Change the label')}
            onClick={() => setText(environment.label)}
          >
            <editIcon.react tag="span" width="14px" height="14px" />
          </Button>
        )}
        {environment.label !== environment.name && (
          <span className="jp-mlinfn-hint">{environment.name}</span>
        )}
      </div>
    );
  }
  return (
    <form
      className="jp-mlinfn-Details-title"
      onSubmit={event => {
        event.preventDefault();
        void save();
      }}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          setText(null);
          setError(null);
        }
      }}
    >
      <input
        ref={input}
        id="jp-mlinfn-details"
        className="jp-mod-styled"
        type="text"
        maxLength={100}
        aria-label={trans.__('Label')}
        autoFocus
        value={text}
        onChange={event => setText(event.currentTarget.value)}
      />
      <Button type="submit" className={PLAIN} disabled={text.trim() === ''}>
        {trans.__('Save')}
      </Button>
      <Button
        className={PLAIN}
        onClick={() => {
          setText(null);
          setError(null);
        }}
      >
        {trans.__('Cancel')}
      </Button>
      {error && <ErrorView error={error} trans={trans} />}
    </form>
  );
}

function CopyButton(props: {
  text: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { text, trans } = props;
  const [copied, setCopied] = useState(false);
  return (
    <Button
      minimal
      small
      title={trans.__('Copy the full path')}
      aria-label={trans.__('Copy the full path')}
      onBlur={() => setCopied(false)}
      onClick={() => {
        Clipboard.copyToSystem(text);
        setCopied(true);
      }}
    >
      {copied ? (
        <span role="status">{trans.__('copied')}</span>
      ) : (
        <copyIcon.react tag="span" width="14px" height="14px" />
      )}
    </Button>
  );
}
