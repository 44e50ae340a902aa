import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { formatBytes } from '../format';
import {
  ChangeKind,
  IChangePlan,
  IDrift,
  IFileChanges,
  IPackageChange
} from './changesApi';

const SIGNS: { [kind in ChangeKind]: string } = {
  added: '+',
  newer: '↑',
  older: '↓',
  rebuilt: '↻',
  removed: '−'
};

/**
 * What happens to packages and files, one a line.
 */
export function Diff(props: {
  packages: IPackageChange[];
  files: IFileChanges;
  /** Whether the sizes are of what has to be downloaded. */
  isPlan: boolean;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { files, isPlan, trans } = props;
  // What was asked for first: the rest comes with it.
  const packages = props.packages
    .filter(item => item.requested)
    .concat(props.packages.filter(item => !item.requested));
  const changed = files.modified.length + files.missing.length;
  if (packages.length + changed === 0) {
    // An empty region would be a stop of the Tab key for nothing.
    return null;
  }
  return (
    <div
      className="jp-mlinfn-scroll"
      tabIndex={0}
      role="region"
      aria-label={trans.__('What changes')}
    >
      {packages.length > 0 && (
        <table className="jp-mlinfn-Table jp-mlinfn-Diff">
          <tbody>
            {packages.map(item => (
              <tr
                key={`${item.manager} ${item.name}`}
                data-change={item.change}
              >
                <td className="jp-mlinfn-Diff-sign">
                  <span aria-hidden="true">{SIGNS[item.change]}</span>
                  <span className="jp-mlinfn-sr">
                    {inWord(item.change, trans)}
                  </span>
                </td>
                <td>
                  {item.name}
                  {item.manager === 'pip' && (
                    <span className="jp-mlinfn-Tag">{item.manager}</span>
                  )}
                </td>
                <td>{versions(item)}</td>
                <td className="jp-mlinfn-number jp-mlinfn-optional">
                  {isPlan && item.cached && item.change !== 'removed'
                    ? trans.__('already here')
                    : item.size === null
                      ? ''
                      : formatBytes(item.size)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {changed > 0 && (
        <ul className="jp-mlinfn-Diff-files">
          {files.modified.map(({ path }) => (
            <li key={`~${path}`}>
              <code>{path}</code>{' '}
              {isPlan ? trans.__('is put back') : trans.__('another content')}
            </li>
          ))}
          {files.missing.map(({ path }) => (
            <li key={`-${path}`}>
              <code>{path}</code>{' '}
              {isPlan ? trans.__('is brought back') : trans.__('missing')}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/**
 * 1.26.4 → 2.1.0
 */
function versions(item: IPackageChange): string {
  const { from_version, to_version, from_build, to_build } = item;
  if (item.change === 'rebuilt' && from_build !== to_build) {
    return `${to_version ?? ''} ${from_build ?? ''} → ${to_build ?? ''}`;
  }
  return [from_version, to_version]
    .filter((version, index, all) => version && version !== all[index - 1])
    .join(' → ');
}

function inWord(kind: ChangeKind, trans: TranslationBundle): string {
  return {
    added: trans.__('added'),
    newer: trans.__('newer'),
    older: trans.__('older'),
    rebuilt: trans.__('rebuilt'),
    removed: trans.__('removed')
  }[kind];
}

/**
 * How many of each: +2 ↑1 −3
 */
export function countChanges(packages: IPackageChange[]): string {
  const kinds = Object.keys(SIGNS) as ChangeKind[];
  return kinds
    .map(kind => ({
      kind,
      count: packages.filter(({ change }) => change === kind).length
    }))
    .filter(({ count }) => count > 0)
    .map(({ kind, count }) => SIGNS[kind] + count)
    .join(' ');
}

/**
 * +2 ↑1 · 12 MB to download · needs about 40 MB of 8.3 GB left
 */
export function describeChange(
  plan: IChangePlan,
  trans: TranslationBundle
): string {
  const { free_bytes: free, installed_bytes: bytes } = plan;
  const needed = plan.estimated
    ? trans.__('about %1', formatBytes(bytes))
    : formatBytes(bytes);
  const left = free === null ? null : formatBytes(free);
  const parts = [countChanges(plan.packages)];
  if (plan.download_bytes === null) {
    parts.push(trans.__('how much to download is not known'));
  } else if (plan.download_bytes > 0) {
    parts.push(trans.__('%1 to download', formatBytes(plan.download_bytes)));
  } else {
    parts.push(trans.__('nothing to download'));
  }
  if (!plan.fits) {
    parts.push(
      free !== null && bytes > free
        ? trans.__('does not fit: needs %1, only %2 left', needed, left)
        : trans.__(
            'does not fit: needs %1 files, only %2 more are allowed',
            String(plan.installed_files),
            String(plan.free_files ?? '?')
          )
    );
  } else if (bytes > 0) {
    parts.push(
      left === null
        ? trans.__('needs %1', needed)
        : trans.__('needs %1 of %2 left', needed, left)
    );
  }
  return parts.filter(part => part).join(' · ');
}

/**
 * What was changed outside: the count and the day first, then what.
 */
export function describeDrift(drift: IDrift, trans: TranslationBundle): string {
  const { packages, files } = drift;
  const day = new Date(drift.changed ?? drift.noticed).toLocaleDateString(
    undefined,
    { day: 'numeric', month: 'short' }
  );
  // What a package brought or took is told with it; the rest is the files'.
  const named = packages
    .slice(0, NAMED)
    .map(item =>
      [
        SIGNS[item.change],
        item.name,
        versions(item),
        item.manager === 'pip' ? '(pip)' : ''
      ]
        .filter(part => part)
        .join(' ')
    );
  if (packages.length > NAMED) {
    named.push(trans.__('and %1 more', String(packages.length - NAMED)));
  }
  const head =
    packages.length > 0
      ? trans._n(
          '%1 package was changed outside on %2',
          '%1 packages were changed outside on %2',
          packages.length,
          day
        )
      : trans.__('Files were changed outside on %1', day);
  const what = [named.join(', '), ...describeFiles(files, trans)];
  return `${head}: ${what.filter(part => part).join('; ')}`;
}

/**
 * So many packages are named in a sentence.
 */
const NAMED = 4;

/**
 * 1 file of numpy was edited by hand
 */
export function describeFiles(
  files: IFileChanges,
  trans: TranslationBundle
): string[] {
  const owners = (changed: { package: string }[]): string =>
    Array.from(new Set(changed.map(file => file.package))).join(', ');
  const modified = files.modified_count ?? files.modified.length;
  const missing = files.missing_count ?? files.missing.length;
  const told: string[] = [];
  if (modified > 0) {
    told.push(
      trans._n(
        '%1 file of %2 was edited by hand',
        '%1 files of %2 were edited by hand',
        modified,
        owners(files.modified)
      )
    );
  }
  if (missing > 0) {
    told.push(
      trans._n(
        '%1 file of %2 is missing',
        '%1 files of %2 are missing',
        missing,
        owners(files.missing)
      )
    );
  }
  if (files.unowned > 0) {
    told.push(
      trans._n(
        '%1 new file belongs to no package',
        '%1 new files belong to no package',
        files.unowned
      )
    );
  }
  return told;
}
