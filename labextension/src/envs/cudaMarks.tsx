import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { ICudaMark } from './cudaApi';
import { describeMark } from './cudaWords';

/**
 * Of the packages asked for, which build is chosen of those that have one for CUDA.
 */
export function CudaMarks(props: {
  marks: ICudaMark[];
  /** The CUDA that packages are chosen for; null for none. */
  cuda: string | null;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { marks, cuda, trans } = props;
  return marks.length === 0 ? null : (
    <ul className="jp-mlinfn-CudaMarks" data-testid="cuda-marks">
      {marks.map(mark => (
        <li
          key={mark.name}
          className="jp-mlinfn-CudaMark"
          data-build={mark.build}
        >
          {describeMark(mark, cuda, trans)}
        </li>
      ))}
    </ul>
  );
}
