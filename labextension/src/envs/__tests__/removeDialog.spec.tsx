import { nullTranslator } from '@jupyterlab/translation';
import { render } from '@testing-library/react';
import React from 'react';

import { IEnvironment } from '../api';
import { RemovalBody } from '../removeDialog';
import { environment } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

const text = (change: Partial<IEnvironment>): string =>
  render(<RemovalBody environment={environment(change)} trans={trans} />)
    .container.textContent ?? '';

describe('RemovalBody', () => {
  it('says about how much comes back, never a figure nobody has measured', () => {
    expect(text({ size_own: 8_600_000 })).toContain('About 8.6 MB of space');
    const unknown = text({ size_own: null });
    expect(unknown).toContain('told afterwards');
    expect(unknown).not.toMatch(/\d [kMG]?B/);
  });

  it('names the documents whose kernels are shut down', () => {
    expect(text({})).not.toContain('shut down');
    const said = text({
      running: [
        { kernel_id: 'k1', name: 'conda-env-myenv-py', path: 'train.ipynb' },
        { kernel_id: 'k2', name: 'conda-env-myenv-py', path: null }
      ]
    });
    expect(said).toContain('These kernels run in it and are shut down');
    expect(said).toContain('train.ipynb');
    expect(said).toContain('conda-env-myenv-py');
  });
});
