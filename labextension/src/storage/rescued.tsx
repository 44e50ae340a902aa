import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { formatBytes } from '../format';
import { IJob } from '../jobs/api';
import { IRescued } from './api';
import { formatCount } from './words';

/**
 * What a rescue has left, and why; nothing where it has left nothing.
 */
export function Left(props: {
  job: IJob;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { job, trans } = props;
  const rescued = rescuedBy(job);
  if (rescued === null) {
    return null;
  }
  const { left, left_count: count, changed } = rescued;
  return (
    <>
      {count > 0 && (
        <details className="jp-mlinfn-Left" open={count <= 5}>
          <summary>{trans.__('What was left, and why')}</summary>
          <table className="jp-mlinfn-Table">
            <thead>
              <tr>
                <th scope="col">{trans.__('File')}</th>
                <th scope="col" className="jp-mlinfn-number">
                  {trans.__('Size')}
                </th>
                <th scope="col">{trans.__('Why')}</th>
              </tr>
            </thead>
            <tbody>
              {left.map(({ path, size, reason }) => (
                <tr key={path}>
                  <th scope="row">{path}</th>
                  <td className="jp-mlinfn-number">
                    {size === null ? '' : formatBytes(size)}
                  </td>
                  <td>{reason}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {count > left.length && (
            <p className="jp-mlinfn-hint">
              {trans.__('and %1 more', formatCount(count - left.length))}
            </p>
          )}
        </details>
      )}
      {changed.length > 0 && (
        <p className="jp-mlinfn-warning">
          {trans.__(
            'Changed while they were copied, and kept as they were at one moment: %1',
            changed.join(', ')
          )}
        </p>
      )}
    </>
  );
}

/**
 * The result of such a job; null as long as there is none.
 */
export function rescuedBy(job: IJob): IRescued | null {
  return job.result === null ? null : (job.result as unknown as IRescued);
}
