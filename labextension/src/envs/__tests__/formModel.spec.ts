import { IFieldProblem, MlinfnError } from '../../api';
import { INewEnvironment, IPlan } from '../api';
import {
  FormModel,
  minorVersions,
  NEWEST_PYTHON,
  NO_PYTHON
} from '../formModel';
import { LONGEST_PAUSE, PREVIEW_DELAY } from '../livePreview';
import { cuda } from './fakes';

const plan = (change: Partial<IPlan> = {}): IPlan => ({
  name: 'myenv',
  prefix: '/home/private/environments/myenv',
  display: 'private/environments/myenv',
  packages: [],
  package_count: 3,
  download_bytes: 0,
  installed_bytes: 0,
  installed_files: 0,
  estimated: false,
  free_bytes: null,
  free_files: null,
  fits: true,
  specs: [],
  added_specs: [],
  cuda: cuda(),
  cuda_builds: [],
  warnings: [],
  ...change
});

interface IAsked {
  wanted: INewEnvironment;
  signal: AbortSignal;
  answer: (plan: IPlan) => void;
  refuse: (error: MlinfnError) => void;
}

function setUp(draft = { label: 'myenv' }) {
  const asked: IAsked[] = [];
  const model = new FormModel(
    {
      preview: (wanted, signal) =>
        new Promise((answer, refuse) =>
          asked.push({ wanted, signal, answer, refuse })
        )
    },
    draft
  );
  return { asked, model };
}

const pause = () => jest.advanceTimersByTimeAsync(PREVIEW_DELAY);

const unknown = (problem: IFieldProblem) =>
  new MlinfnError(
    { message: 'unknown', reason: null, fields: { specs: [problem] } },
    422
  );

describe('FormModel', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  describe('CUDA', () => {
    it('is asked for only where the user chose', async () => {
      const { model } = setUp();
      expect(model.wanted).not.toHaveProperty('cuda');
      model.update({ cuda: '12.6' });
      expect(model.wanted.cuda).toBe('12.6');
      model.update({ cuda: 'none' });
      expect(model.wanted.cuda).toBe('none');
    });

    it('marks the chips by what the plan says, and none after a refusal', async () => {
      const { asked, model } = setUp();
      model.addSpecs('tensors>=1 numpy');
      await pause();
      const mark = {
        name: 'tensors',
        build: 'cuda' as const,
        cuda: '12.6',
        needs: '12.0',
        version: null
      };
      asked[0].answer(plan({ cuda_builds: [mark] }));
      await pause();
      expect(model.markOf('tensors>=1')).toEqual(mark);
      expect(model.markOf('numpy')).toBeUndefined();
      model.refuse(unknown({ value: 'numpy', message: 'unknown' }));
      expect(model.markOf('tensors>=1')).toBeUndefined();
    });
  });

  describe('preview', () => {
    it('asks again quietly when another form’s question displaced its own', async () => {
      const { model, asked } = setUp();
      const states: string[] = [];
      model.changed.connect(() => states.push(model.preview.state));
      model.ask(0);
      for (let round = 1; round <= 6; round++) {
        await jest.advanceTimersByTimeAsync(2 * LONGEST_PAUSE);
        expect(asked.length).toBe(round);
        asked[round - 1].refuse(
          new MlinfnError(
            { kind: 'Superseded', message: 'A newer one.', reason: null },
            409
          )
        );
      }
      await jest.advanceTimersByTimeAsync(2 * LONGEST_PAUSE);
      asked[6].answer(plan());
      await jest.advanceTimersByTimeAsync(0);
      expect(states).not.toContain('refused');
      expect(model.plan?.name).toBe('myenv');
      model.dispose();
    });

    it('says so when a name is taken, which is a 409 too', async () => {
      const { model, asked } = setUp();
      model.ask(0);
      await pause();
      asked[0].refuse(
        new MlinfnError(
          { kind: 'ConflictError', message: 'myenv exists.', reason: null },
          409
        )
      );
      await pause();
      expect(model.refusal?.message).toBe('myenv exists.');
      expect(asked.length).toBe(1);
      model.dispose();
    });

    it('is asked for once after the last key', async () => {
      const { asked, model } = setUp();
      for (const label of ['m', 'my', 'mye']) {
        model.update({ label });
        await jest.advanceTimersByTimeAsync(PREVIEW_DELAY - 1);
      }
      expect(asked.length).toBe(0);
      await pause();
      expect(asked.map(({ wanted }) => wanted.label)).toEqual(['mye']);
      model.dispose();
    });

    it('gives up one that is superseded and never shows its answer', async () => {
      const { asked, model } = setUp();
      model.addSpecs('numpy');
      await pause();
      model.addSpecs('pandas');
      expect(asked[0].signal.aborted).toBe(true);
      await pause();
      asked[1].answer(plan({ package_count: 2 }));
      await pause();
      asked[0].answer(plan({ package_count: 1 }));
      await pause();
      expect(model.plan?.package_count).toBe(2);
      model.dispose();
    });

    it('does not let a late refusal overwrite a newer answer', async () => {
      const { asked, model } = setUp();
      model.addSpecs('nunpy');
      await pause();
      model.renameSpec('nunpy', 'numpy');
      await pause();
      asked[1].answer(plan());
      asked[0].refuse(unknown({ value: 'nunpy', message: 'unknown' }));
      await pause();
      expect(model.preview.state).toBe('known');
      expect(model.canSubmit).toBe(true);
      model.dispose();
    });

    it('keeps the last plan in sight while it asks', async () => {
      const { asked, model } = setUp();
      model.ask(0);
      await pause();
      asked[0].answer(plan({ package_count: 7 }));
      await pause();
      model.addSpecs('numpy');
      expect(model.preview.state).toBe('asking');
      expect(model.plan?.package_count).toBe(7);
      model.dispose();
    });

    it('asks nothing without a label', async () => {
      const { asked, model } = setUp();
      model.update({ label: '  ' });
      await pause();
      expect(asked.length).toBe(0);
      expect(model.canSubmit).toBe(false);
      model.dispose();
    });

    it('ends with the form', async () => {
      const { asked, model } = setUp();
      model.ask(0);
      await pause();
      model.dispose();
      expect(asked[0].signal.aborted).toBe(true);
    });
  });

  describe('chips', () => {
    it('replaces one of the same name', () => {
      const { model } = setUp();
      model.addSpecs('numpy, pandas');
      model.addSpecs('numpy <2');
      expect(model.draft.specs).toEqual(['numpy <2', 'pandas']);
      model.removeSpec('pandas');
      expect(model.draft.specs).toEqual(['numpy <2']);
      model.dispose();
    });

    it('marks the one at fault and takes a suggestion for it', async () => {
      const { asked, model } = setUp();
      model.addSpecs('nunpy <2, pandas');
      await pause();
      asked[0].refuse(
        unknown({
          value: 'nunpy',
          message: 'unknown',
          suggestions: ['numpy']
        })
      );
      await pause();
      expect(model.problemsOf('nunpy <2').length).toBe(1);
      expect(model.problemsOf('pandas')).toEqual([]);
      expect(model.canSubmit).toBe(false);
      model.renameSpec('nunpy <2', 'numpy');
      expect(model.draft.specs).toEqual(['numpy <2', 'pandas']);
      expect(model.problemsOf('numpy <2')).toEqual([]);
      expect(model.canSubmit).toBe(true);
      model.dispose();
    });
  });

  describe('Python', () => {
    it.each([
      [NEWEST_PYTHON, ['python', 'numpy']],
      ['3.12', ['python 3.12.*', 'numpy']],
      [NO_PYTHON, ['numpy']]
    ])('%s', (python, specs) => {
      const { model } = setUp();
      model.addSpecs('numpy');
      model.update({ python });
      expect(model.wanted.specs).toEqual(specs);
      model.dispose();
    });

    it('gives way to one among the packages', () => {
      const { model } = setUp();
      model.update({ python: '3.12' });
      model.addSpecs('python 3.11');
      expect(model.wanted.specs).toEqual(['python 3.11']);
      model.dispose();
    });

    it('offers each minor version once', () => {
      expect(
        minorVersions(['3.13.5', '3.13.0', '3.12.8', '3.9.1', 'odd'])
      ).toEqual(['3.13', '3.12', '3.9']);
    });
  });

  describe('Create', () => {
    it('waits for no preview', () => {
      const { model } = setUp();
      model.addSpecs('numpy');
      expect(model.preview.state).toBe('asking');
      expect(model.canSubmit).toBe(true);
      model.dispose();
    });

    it.each([
      [422, false],
      [409, false],
      [507, false],
      [424, true],
      [0, true]
    ])('after a refusal with status %d: %s', async (status, can) => {
      const { asked, model } = setUp();
      model.ask(0);
      await pause();
      asked[0].refuse(new MlinfnError({ message: 'no', reason: null }, status));
      await pause();
      expect(model.canSubmit).toBe(can);
      model.dispose();
    });

    it('is not for what does not fit', async () => {
      const { asked, model } = setUp();
      model.ask(0);
      await pause();
      asked[0].answer(plan({ fits: false }));
      await pause();
      expect(model.canSubmit).toBe(false);
      model.dispose();
    });

    it('names a taken label in its field until it is changed', () => {
      const { model } = setUp();
      model.refuse(
        new MlinfnError(
          {
            message: 'taken',
            reason: null,
            fields: { name: [{ message: 'There is one of this name.' }] }
          },
          409
        )
      );
      expect(model.problems('label')[0].message).toBe(
        'There is one of this name.'
      );
      expect(model.canSubmit).toBe(false);
      model.update({ label: 'other' });
      expect(model.problems('label')).toEqual([]);
      model.dispose();
    });

    it('sends channels only where they are given', () => {
      const { model } = setUp();
      expect(model.wanted.channels).toBeUndefined();
      model.update({ channels: 'conda-forge, https://x.test/y' });
      expect(model.wanted.channels).toEqual([
        'conda-forge',
        'https://x.test/y'
      ]);
      model.dispose();
    });
  });
});
