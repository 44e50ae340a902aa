import { nullTranslator } from '@jupyterlab/translation';

import { ICuda, ICudaMark } from '../cudaApi';
import { badgeOf, describeCuda, describeMark } from '../cudaWords';
import { EnvsModel } from '../model';
import { captionOf } from '../presenters';
import { draftOf } from '../newEnvironment';
import { cuda, environment, gpuCheck } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

const none = (change: Partial<ICuda> = {}) =>
  cuda({ version: null, source: 'none', driver: null, here: null, ...change });

const seen = (change: Partial<ICuda> = {}) =>
  cuda({
    source: 'remembered',
    seen: '2026-11-12T09:00:00.000Z',
    server: 'your server gpu',
    here: false,
    ...change
  });

describe('for which CUDA packages are chosen', () => {
  it.each([
    [cuda(), '', "This server's driver supports CUDA 12.4."],
    [
      seen(),
      '',
      /^No GPU here; packages are chosen for CUDA 12.4, as seen on .*12.* on your server gpu\.$/
    ],
    [
      seen({ here: null }),
      '',
      /^Packages are chosen for CUDA 12.4, as seen on /
    ],
    [none(), '', 'No GPU was seen yet: builds that need none are chosen.'],
    [none({ here: false }), '', /^No GPU here, and none was seen yet/],
    [none({ source: 'site' }), '', /as set up here/],
    [none({ source: 'override' }), '', /CONDA_OVERRIDE_CUDA is empty/],
    [cuda({ source: 'override' }), '', /as CONDA_OVERRIDE_CUDA says/],
    [cuda({ source: 'site' }), '', /for CUDA 12.4, as set up here/],
    [cuda(), '12.6', 'Packages are chosen for CUDA 12.6, as you asked.'],
    [cuda(), 'none', 'Builds that need no GPU are chosen, as you asked.']
  ])('says who says so', (told, asked, sentence) => {
    expect(describeCuda(told, asked, trans)).toMatch(sentence);
  });
});

describe('which build is chosen', () => {
  const mark = (change: Partial<ICudaMark>): ICudaMark => ({
    name: 'tensors',
    build: 'cpu',
    cuda: null,
    needs: null,
    version: null,
    ...change
  });

  it.each([
    [
      mark({ build: 'cuda', cuda: '12.6' }),
      '12.8',
      'tensors: a build for CUDA 12.6'
    ],
    [mark({ build: 'cuda' }), '12.8', 'tensors: a build for CUDA'],
    [
      mark({ needs: '12.9' }),
      '12.4',
      'tensors: the build for the CPU; the one for CUDA needs CUDA 12.9 or newer'
    ],
    [
      mark({ needs: '12.0' }),
      null,
      'tensors: the build for the CPU; there is one for CUDA 12.0 or newer'
    ],
    [mark({}), null, 'tensors: the build for the CPU; there is one for CUDA'],
    [
      mark({ version: '1.0' }),
      '12.8',
      'tensors: the build for the CPU; only version 1.0 has one for CUDA'
    ],
    [mark({}), '12.8', /does not go with the others$/]
  ])('says so, and why not the other', (told, chosen, sentence) => {
    expect(describeMark(told, chosen, trans)).toMatch(sentence);
  });
});

describe('the verdicts', () => {
  it('say when they are old', () => {
    expect(badgeOf(gpuCheck(), trans)).toBe('GPU ok');
    expect(badgeOf(gpuCheck({ stale: 'driver' }), trans)).toBe(
      'GPU ok, before'
    );
    expect(badgeOf(gpuCheck({ verdict: 'problem' }), trans)).toBe(
      'GPU problem'
    );
  });

  it('are in the caption of the environments, which the launcher shows', async () => {
    const envs = new EnvsModel(() =>
      Promise.resolve({
        environments: [
          environment({ label: 'One', gpu_check: gpuCheck() }),
          environment({ label: 'Two', gpu_check: null }),
          environment({
            label: 'Three',
            gpu_check: gpuCheck({ verdict: 'nothing' })
          })
        ],
        places: {} as any,
        cuda: cuda(),
        warnings: []
      })
    );
    const caption = captionOf(envs, trans);
    expect(caption().split('\n')).toHaveLength(1);
    await envs.refresh();
    expect(caption().split('\n').slice(1)).toEqual(['One: GPU ok']);
  });
});

it('the form is filled again with what was chosen', () => {
  const job = { request: { label: 'x', specs: ['python'], cuda: '12.6' } };
  expect(draftOf(job as any)).toMatchObject({ cuda: '12.6' });
});
