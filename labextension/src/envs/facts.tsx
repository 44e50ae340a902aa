import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React from 'react';

import { CopyButton } from '../copyButton';
import { formatBytes } from '../format';
import { PLAIN } from '../jobs/jobView';
import { EnvironmentActions } from './actions';
import { IEnvironment } from './api';

/**
 * What is known of an environment besides its packages.
 */
export function Facts(props: {
  environment: IEnvironment;
  actions: EnvironmentActions;
  attempt: (work: Promise<unknown>) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { environment, actions, attempt, trans } = props;
  const { kernels, running } = environment;
  return (
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
      {environment.cuda !== null && (
        <>
          <dt>{trans.__('CUDA')}</dt>
          <dd>
            {environment.cuda === 'none'
              ? trans.__('none: builds that need no GPU are chosen')
              : trans.__('packages are chosen for %1', environment.cuda)}
          </dd>
        </>
      )}
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
        <CopyButton
          text={environment.prefix}
          label={trans.__('Copy the full path')}
          trans={trans}
        />
      </dd>
    </dl>
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
