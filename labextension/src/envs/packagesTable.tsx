import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React, { useState } from 'react';

import { formatBytes } from '../format';
import { IInstalledPackage } from './api';
import { Intent } from './changesApi';

export interface IPackageChanges {
  begin: (intent: Intent) => void;
  disabled: boolean;
}

/**
 * What is installed: what was asked for first, the rest folded away.
 */
export function PackagesTable(props: {
  packages: IInstalledPackage[];
  /** How packages are changed; undefined where they cannot be. */
  changes?: IPackageChanges;
  trans: TranslationBundle;
}): JSX.Element {
  const { packages, changes, trans } = props;
  const [filter, setFilter] = useState('');
  const wanted = filter.trim().toLowerCase();
  const shown = packages.filter(item =>
    item.name.toLowerCase().includes(wanted)
  );
  const requested = shown.filter(item => item.requested);
  const others = shown.filter(item => !item.requested);
  return (
    <section aria-label={trans.__('Packages')}>
      <div className="jp-mlinfn-Packages-head">
        <input
          className="jp-mod-styled"
          type="search"
          aria-label={trans.__('Filter packages')}
          placeholder={trans.__('filter…')}
          value={filter}
          onChange={event => setFilter(event.currentTarget.value)}
        />
      </div>
      {shown.length === 0 && (
        <p className="jp-mlinfn-hint">
          {wanted
            ? trans.__('No package with “%1” in its name.', filter.trim())
            : trans.__('There is no package in it.')}
        </p>
      )}
      {requested.length > 0 && (
        <Rows packages={requested} changes={changes} trans={trans} />
      )}
      {others.length > 0 && wanted !== '' && (
        <Rows packages={others} changes={changes} trans={trans} />
      )}
      {others.length > 0 && wanted === '' && (
        <details open={requested.length === 0}>
          <summary>
            {requested.length === 0
              ? trans._n('%1 package', '%1 packages', others.length)
              : trans._n(
                  '%1 more that these need',
                  '%1 more that these need',
                  others.length
                )}
          </summary>
          <Rows packages={others} changes={changes} trans={trans} />
        </details>
      )}
    </section>
  );
}

function Rows(props: {
  packages: IInstalledPackage[];
  changes?: IPackageChanges;
  trans: TranslationBundle;
}): JSX.Element {
  const { packages, changes, trans } = props;
  return (
    <table className="jp-mlinfn-Table">
      <thead className="jp-mlinfn-sr">
        <tr>
          <th scope="col">{trans.__('Package')}</th>
          <th scope="col">{trans.__('Version')}</th>
          <th scope="col">{trans.__('Channel')}</th>
          <th scope="col">{trans.__('Size')}</th>
          {changes && <th scope="col">{trans.__('Change')}</th>}
        </tr>
      </thead>
      <tbody>
        {packages.map(item => (
          <tr key={`${item.manager} ${item.name}`}>
            <td>
              {item.name}
              {item.manager === 'pip' && (
                <span className="jp-mlinfn-Tag">{item.manager}</span>
              )}
            </td>
            <td title={item.build}>{item.version}</td>
            <td className="jp-mlinfn-optional">{item.channel}</td>
            <td className="jp-mlinfn-number jp-mlinfn-optional">
              {item.size === null ? '' : formatBytes(item.size)}
            </td>
            {changes && (
              <td className="jp-mlinfn-Table-buttons">
                {(['update', 'remove'] as const).map(action => (
                  <Button
                    key={action}
                    small
                    minimal
                    className="jp-mlinfn-Link"
                    disabled={changes.disabled}
                    aria-label={
                      action === 'update'
                        ? trans.__('Update %1', item.name)
                        : trans.__('Remove %1', item.name)
                    }
                    onClick={() =>
                      changes.begin({
                        action,
                        specs: [item.name],
                        manager: item.manager
                      })
                    }
                  >
                    {action === 'update'
                      ? trans.__('update')
                      : trans.__('remove')}
                  </Button>
                ))}
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
