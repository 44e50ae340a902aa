import { nullTranslator } from '@jupyterlab/translation';
import { render } from '@testing-library/react';
import React from 'react';

import { holdersOf } from '../holders';
import { ReleaseBody } from '../releaseDialog';
import { GIB, process } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');
const TRAIN = process(10, 2.9 * GIB, { id: 'k1' });
const OTHER = process(11, 0.5 * GIB, { id: 'k2', title: 'other.ipynb' });

describe('the dialog that shuts kernels down', () => {
  const text = (busy: Set<string> | null, ...list: (typeof TRAIN)[]): string =>
    render(
      <ReleaseBody
        holders={holdersOf(list)}
        busy={busy}
        simulated={false}
        choose={() => undefined}
        trans={trans}
      />
    ).container.textContent ?? '';

  it('takes what is not known for neither busy nor idle', () => {
    expect(text(null, TRAIN)).toContain('Whether it is computing is not known');
    expect(text(null, TRAIN, OTHER)).toContain(
      'Whether they are computing is not known'
    );
  });

  it('says what is broken off', () => {
    expect(text(new Set(['k1']), TRAIN)).toContain('It is computing now');
    expect(text(new Set(['k1']), TRAIN, OTHER)).toContain('computing now');
    expect(text(new Set(), TRAIN)).not.toContain('computing');
  });
});
