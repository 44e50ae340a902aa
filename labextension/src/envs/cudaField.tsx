import { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import React from 'react';

import { Simulated } from '../gpu/simulated';
import { ICuda } from './cudaApi';
import { describeCuda } from './cudaWords';
import { FormModel } from './formModel';

/**
 * Versions to choose from where nobody knows better: those that conda-forge builds for, and what
 * the drivers before them support.
 */
const VERSIONS = ['13.0', '12.9', '12.8', '12.6', '12.4', '12.2', '11.8'];

/**
 * For which CUDA packages are chosen; unfolded, another choice.
 */
export function CudaField(props: {
  model: FormModel;
  cuda: ICuda;
  id: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, cuda, id, trans } = props;
  const asked = model.draft.cuda;
  const problems = model.problems('cuda');
  const known = cuda.version === null ? [] : [cuda.version];
  const versions = Array.from(
    new Set([
      ...VERSIONS,
      ...known,
      ...(asked === '' || asked === 'none' ? [] : [asked])
    ])
  ).sort(newestFirst);
  return (
    <details
      className="jp-mlinfn-Options"
      data-testid="cuda"
      open={asked !== '' || problems.length > 0 || undefined}
    >
      <summary>
        {trans.__('GPU')}
        <span className="jp-mlinfn-Options-line" id={`${id}-cuda-line`}>
          {describeCuda(cuda, asked, trans)}
          {cuda.simulated && asked === '' && <Simulated trans={trans} />}
        </span>
      </summary>
      <div className="jp-mlinfn-Field">
        <label htmlFor={`${id}-cuda`}>{trans.__('CUDA')}</label>
        <div>
          <HTMLSelect
            id={`${id}-cuda`}
            value={asked}
            aria-invalid={problems.length > 0}
            aria-describedby={`${id}-cuda-line ${id}-cuda-hint`}
            onChange={event =>
              model.update({ cuda: event.currentTarget.value })
            }
          >
            <option value="">
              {cuda.version === null
                ? trans.__('automatic (none)')
                : trans.__('automatic (%1)', cuda.version)}
            </option>
            {versions.map(version => (
              <option key={version} value={version}>
                {version}
              </option>
            ))}
            <option value="none">
              {trans.__('none: builds that need no GPU')}
            </option>
          </HTMLSelect>
          <p
            id={`${id}-cuda-hint`}
            className={
              problems.length > 0 ? 'jp-mlinfn-problem' : 'jp-mlinfn-hint'
            }
          >
            {problems.length > 0
              ? problems.map(problem => problem.message).join(' ')
              : trans.__(
                  'The newest that the driver has to support where it is used; the environment keeps it.'
                )}
          </p>
        </div>
      </div>
    </details>
  );
}

function newestFirst(one: string, other: string): number {
  const [a, b] = [one, other].map(version => version.split('.').map(Number));
  return b[0] - a[0] || (b[1] ?? 0) - (a[1] ?? 0);
}
