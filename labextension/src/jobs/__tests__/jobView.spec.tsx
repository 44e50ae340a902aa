import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, render, screen } from '@testing-library/react';
import React from 'react';

import { MlinfnError } from '../../api';
import { IJob, JobsApi, JobState } from '../api';
import { JobView } from '../jobView';
import { JobsModel } from '../model';
import { Jobs } from '../registry';
import { job } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

function show(shown: IJob, resume: () => Promise<IJob> = jest.fn()) {
  const model = new JobsModel({
    list: () => Promise.resolve([shown]),
    remove: () => Promise.resolve(),
    clear: () => Promise.resolve(),
    resume
  });
  const onResumed = jest.fn();
  const jobs = new Jobs({} as JobsApi, model, trans);
  const view = (now: IJob): JSX.Element => (
    <JobView
      job={now}
      jobs={jobs}
      trans={trans}
      onResumed={onResumed}
      onDiscarded={() => undefined}
      onChange={() => undefined}
      changeLabel="Change packages"
    />
  );
  const { rerender } = render(view(shown));
  return { model, onResumed, become: (next: IJob) => rerender(view(next)) };
}

const buttons = (): (string | null)[] =>
  screen.getAllByRole('button').map(({ textContent }) => textContent);

describe('JobView', () => {
  it.each<[JobState, string[]]>([
    ['running', ['Cancel', 'Log']],
    ['done', ['Log']],
    ['failed', ['Try again', 'Change packages', 'Show log', 'Discard']],
    ['cancelled', ['Change packages', 'Log']],
    ['interrupted', ['Resume', 'Log', 'Discard']]
  ])('offers the next steps when it is %s', (state, expected) => {
    const { model } = show(job({ state }));
    expect(buttons()).toEqual(expected);
    expect(screen.queryAllByRole('progressbar').length).toBe(
      state === 'running' ? 1 : 0
    );
    model.dispose();
  });

  it('gives the bar a value only where one is known', () => {
    const progress = {
      phase: 'solving' as const,
      packages_done: null,
      packages_total: null,
      bytes_done: null,
      bytes_total: null,
      seconds_left: null
    };
    const { model, become } = show(job({ progress }));
    const bar = screen.getByRole('progressbar');
    expect(bar.getAttribute('aria-valuenow')).toBeNull();
    become(
      job({
        progress: {
          ...progress,
          phase: 'downloading',
          bytes_done: 5e6,
          bytes_total: 10e6
        }
      })
    );
    expect(bar.getAttribute('aria-valuenow')).toBe('35');
    expect(bar.getAttribute('aria-valuetext')).toContain('5 of 10 MB');
    model.dispose();
  });

  it('says the end where screen readers listen', () => {
    const { model, become } = show(job());
    become(
      job({
        state: 'failed',
        error: { message: 'It arrived damaged.', reason: 'wrong hash' }
      })
    );
    const live = document.querySelector('[aria-live=polite]');
    expect(live?.textContent).toBe('Create myenv failed');
    expect(screen.getByRole('alert').textContent).toContain(
      'It arrived damaged.'
    );
    model.dispose();
  });

  it('says why it cannot be resumed, and stays where it is', async () => {
    const refusal = new MlinfnError(
      { message: 'It runs elsewhere.', reason: null },
      409
    );
    const { model, onResumed } = show(job({ state: 'interrupted' }), () =>
      Promise.reject(refusal)
    );
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Resume' }));
    });
    expect(screen.getByRole('alert').textContent).toBe('It runs elsewhere.');
    expect(onResumed).not.toHaveBeenCalled();
    model.dispose();
  });
});
