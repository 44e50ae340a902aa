import { Dialog, ReactWidget, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { formatBytes } from '../format';
import { IEnvironment } from './api';

/**
 * Ask before an environment is removed, for it cannot be undone; name what is lost.
 */
export async function confirmRemoval(
  environment: IEnvironment,
  trans: TranslationBundle
): Promise<boolean> {
  const running = environment.running.length;
  const result = await showDialog({
    title: trans.__('Remove %1?', environment.label),
    body: ReactWidget.create(
      <RemovalBody environment={environment} trans={trans} />
    ),
    // Cancel has the focus: this cannot be undone.
    defaultButton: 0,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({
        label:
          running > 0 ? trans.__('Shut Down and Remove') : trans.__('Remove')
      })
    ]
  });
  return result.button.accept;
}

/**
 * What is lost, and about how much space comes back.
 */
export function RemovalBody(props: {
  environment: IEnvironment;
  trans: TranslationBundle;
}): JSX.Element {
  const { environment, trans } = props;
  const { running, kernels } = environment;
  return (
    <div className="jp-mlinfn-RemoveDialog">
      <p>
        {trans.__(
          'The folder %1 and its %2 packages are removed for good.',
          environment.display,
          String(environment.package_count)
        )}
        {' ' +
          (environment.size_own === null
            ? trans.__('How much space comes back is told afterwards.')
            : trans.__(
                'About %1 of space come back.',
                formatBytes(environment.size_own)
              ))}
      </p>
      {kernels.length > 0 && (
        <p>
          {trans._n(
            'Notebooks that use its kernel stay, but need another one to run.',
            'Notebooks that use its kernels stay, but need others to run.',
            kernels.length
          )}
        </p>
      )}
      {running.length > 0 && (
        <>
          <p>
            {trans._n(
              'This kernel runs in it and is shut down; what it holds in memory is lost:',
              'These kernels run in it and are shut down; what they hold in memory is lost:',
              running.length
            )}
          </p>
          <ul>
            {running.map(kernel => (
              <li key={kernel.kernel_id}>{kernel.path ?? kernel.name}</li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}
