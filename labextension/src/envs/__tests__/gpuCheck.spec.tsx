import { nullTranslator } from '@jupyterlab/translation';
import { fireEvent, render, screen, within } from '@testing-library/react';
import React from 'react';

import { MlinfnError } from '../../api';
import { IJob } from '../../jobs/api';
import { IGpuCheck } from '../cudaApi';
import { CudaField } from '../cudaField';
import { FormModel } from '../formModel';
import { GpuCheck } from '../gpuCheck';
import { cuda, gpuCheck, gpuFinding } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

const JOB = { id: 'j1', kind: 'envs.gpu_check', state: 'running' } as IJob;

function show(
  check: IGpuCheck | null,
  job: IJob | null = null,
  error: MlinfnError | null = null
) {
  const cancel = jest.fn();
  render(
    <GpuCheck
      check={check}
      job={job}
      error={error}
      cancel={cancel}
      trans={trans}
    />
  );
  return cancel;
}

describe('the check of the GPU', () => {
  it('is not there before the first one', () => {
    show(null);
    expect(screen.queryByTestId('gpu-check')).toBeNull();
  });

  it('names each framework with what to do, and where and when it was', () => {
    show(
      gpuCheck({
        verdict: 'problem',
        frameworks: [
          gpuFinding(),
          gpuFinding({
            framework: 'JAX',
            module: 'jax',
            verdict: 'problem',
            sentence: 'JAX 0.4 has no CUDA plugin: it cannot use a GPU.',
            hint: 'Install jax[cuda12] by pip instead.',
            build: 'CPU',
            uuid: null,
            details: 'Unknown backend'
          })
        ],
        others: ['CuPy 13'],
        notes: ['Kernels take PyTorch from elsewhere.']
      })
    );
    const [torch, jax] = screen.getAllByRole('listitem');
    expect(torch.textContent).toContain('PyTorch 2.5.1 computes on A100.');
    expect(torch.textContent).toContain('Built for CUDA 12.4 · MIG-1');
    expect(within(torch).getByRole('img').getAttribute('aria-label')).toBe(
      'GPU ok'
    );
    expect(within(jax).getByRole('img').getAttribute('aria-label')).toBe(
      'GPU problem'
    );
    expect(jax.textContent).toContain('Install jax[cuda12] by pip instead.');
    expect(jax.querySelector('details')?.textContent).toContain(
      'Unknown backend'
    );
    const all = screen.getByTestId('gpu-check').textContent;
    expect(all).toContain(
      'on your server gpu, whose driver supports CUDA 12.4'
    );
    expect(all).toContain('Not checked: CuPy 13');
    expect(all).toContain('Kernels take PyTorch from elsewhere.');
  });

  it('does not take a driver that was not heard for none', () => {
    const none = { cuda: null, version: null, simulated: false };
    show(gpuCheck({ driver: none }));
    show(gpuCheck({ driver: null }));
    const [without, unheard] = screen.getAllByTestId('gpu-check');
    expect(without.textContent).toContain('on your server gpu, without a GPU');
    expect(unheard.textContent).toContain('on your server gpu');
    expect(unheard.textContent).not.toContain('without a GPU');
  });

  it('says when it need not hold any more', () => {
    show(gpuCheck({ stale: 'environment' }));
    const all = screen.getByTestId('gpu-check').textContent;
    expect(all).toContain('GPU ok, before');
    expect(all).toContain('The environment was changed since: check again.');
  });

  it('can be cancelled while it runs', () => {
    const cancel = show(null, JOB);
    expect(screen.getByRole('status').textContent).toContain('Checking');
    fireEvent.click(screen.getByRole('button', { name: 'Cancel' }));
    expect(cancel).toHaveBeenCalledWith(JOB);
  });

  it('says why it could not be done', () => {
    show(
      null,
      null,
      new MlinfnError(
        { message: 'Its Python does not work.', reason: 'x' },
        500
      )
    );
    expect(screen.getByTestId('gpu-check').textContent).toContain(
      'Its Python does not work.'
    );
  });
});

describe('the choice of CUDA', () => {
  it('is folded, says what is chosen, and takes another', () => {
    const model = new FormModel(
      { preview: () => new Promise(() => undefined) },
      { label: 'myenv' }
    );
    const field = (): JSX.Element => (
      <CudaField
        model={model}
        cuda={cuda({ version: '12.5' })}
        id="x"
        trans={trans}
      />
    );
    const { rerender } = render(field());
    const fold = screen.getByTestId('cuda') as HTMLDetailsElement;
    expect(fold.open).toBe(false);
    expect(fold.querySelector('summary')?.textContent).toBe(
      "GPUThis server's driver supports CUDA 12.5."
    );
    const select = fold.querySelector('select')!;
    const options = Array.from(select.options).map(option => option.value);
    expect(options[0]).toBe('');
    expect(options[options.length - 1]).toBe('none');
    // The newest first, and the driver's own among them.
    expect(options.indexOf('12.5')).toBe(options.indexOf('12.6') + 1);
    fireEvent.change(select, { target: { value: 'none' } });
    expect(model.wanted.cuda).toBe('none');
    rerender(field());
    expect(fold.open).toBe(true);
    expect(fold.querySelector('summary')?.textContent).toContain(
      'Builds that need no GPU are chosen, as you asked.'
    );
    model.dispose();
  });
});
