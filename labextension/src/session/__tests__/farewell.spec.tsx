import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { act, fireEvent, render, screen } from '@testing-library/react';
import React from 'react';

import { IJob } from '../../jobs/api';
import { Calm } from '../calm';
import { farewell, IKnown } from '../farewell';
import { answer, files, RESCUE, START, stop, stopped, STORAGE } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

function known(change: Partial<IKnown> = {}): IKnown {
  return {
    contact: 'gone',
    end: null,
    answer: answer({
      stop: stop('stopping', { job: 'one' }),
      files: files(),
      rescue: RESCUE
    }),
    storage: STORAGE,
    asked: true,
    saved: { documents: ['a.py'], failed: [] },
    unsaved: [],
    job: null,
    failing: 0,
    now: START,
    ...change
  };
}

const job = (change: Partial<IJob>): IJob =>
  ({
    id: 'one',
    state: 'running',
    result: null,
    error: null,
    ...change
  }) as IJob;

const told = (change: Partial<IKnown> = {}): { [name: string]: string } => {
  const facts: { [name: string]: string } = {};
  for (const { name, state, text } of farewell(known(change), trans).facts) {
    facts[name] = `${state}: ${text}`;
  }
  return facts;
};

describe('what the calm page says', () => {
  it('is what was given back, saved and kept', () => {
    const done = job({ state: 'done', result: { ...stopped().rescue } });
    const { facts, ...rest } = farewell(known({ job: done }), trans);
    expect(rest).toMatchObject({
      stage: 'stopped',
      title: 'This server is stopped'
    });
    expect(rest.sentence).toContain('You asked for it at');
    expect(told({ job: done })).toEqual({
      saved: 'fine: a.py',
      kept: 'fine: 3 files (1.2 GB) in private/rescued/2026-11-24',
      freed: 'fine: MIG 1g.5gb, 4 cores, 24 GB of memory',
      stays: 'fine: private/ and shared/ and the environments in there stay.'
    });
    expect(facts[0].name).toBe('saved');
  });

  it('claims nothing that it has not heard of', () => {
    expect(told({ job: job({}) }).kept).toContain(
      'warn: Copying 3 files (1.2 GB) to private/rescued had begun when it was last heard of'
    );
    const failed = job({
      state: 'failed',
      error: { message: 'Nothing was kept.', reason: 'No space left.' }
    });
    expect(told({ job: failed }).left).toBe(
      'warn: Nothing was kept. No space left.'
    );
    const some = job({
      state: 'done',
      result: {
        ...stopped().rescue,
        left: [{ path: 'x/big', size: 9, reason: 'Too big.' }],
        left_count: 1,
        left_bytes: 9
      }
    });
    expect(told({ job: some }).left).toBe('warn: 1 file (9 B): big. Too big.');
    const silent = answer({
      stop: stop('stopping'),
      pages: { known: 2, answered: 1, silent: 1, asking: false, unsaved: [] }
    });
    expect(told({ answer: silent }).silent).toContain('1 page did not answer');
  });

  it('names what is in this page only', () => {
    const failed = [{ path: 'b.py', reason: 'It is read-only.' }];
    expect(
      told({
        saved: { documents: ['a.py'], failed },
        unsaved: ['b.py', 'c.py']
      })
    ).toMatchObject({
      saved: 'fine: a.py',
      unsaved:
        'warn: b.py. It is read-only. c.py. The changes are in this page only: look around to copy them.'
    });
    expect(told({ saved: null, unsaved: ['c.py'] }).unsaved).toContain('c.py');
  });

  it('tells while it goes on what is being done', () => {
    const going = {
      contact: 'fine' as const,
      saved: null,
      unsaved: ['a.py'],
      answer: answer({ stop: stop('saving'), files: files(), rescue: RESCUE })
    };
    expect(farewell(known(going), trans).stage).toBe('stopping');
    expect(told(going)).toMatchObject({
      saved: 'doing: a.py',
      freed: 'doing: MIG 1g.5gb, 4 cores, 24 GB of memory'
    });
    expect(told(going).unsaved).toBe(undefined);
    expect(told({ ...going, job: job({}) }).kept).toBe(
      'doing: 3 files (1.2 GB), in private/rescued'
    );
  });

  it('claims no stop where nothing tells of one', () => {
    const unsure = {
      answer: answer(),
      asked: false,
      saved: null,
      failing: 60
    };
    const { sentence, stage, title } = farewell(known(unsure), trans);
    expect(stage).toBe('unsure');
    expect(title).toBe('This server was stopped, or does not answer');
    expect(sentence).toContain('nothing has told this page why');
    expect(told(unsure).freed).toBe(undefined);
  });

  it('gives the reason that was warned of', () => {
    const end = {
      begun: true,
      asked: false,
      at: START,
      reason: 'Nothing has run since 11:28.'
    };
    const change = { end, asked: false, answer: answer() };
    expect(farewell(known(change), trans)).toMatchObject({ stage: 'stopped' });
    expect(farewell(known(change), trans).sentence).toMatch(
      /^It was stopped at .* Nothing has run since 11:28\.$/
    );
    const due = { ...change, end: { ...end, begun: false } };
    expect(farewell(known(due), trans)).toMatchObject({ stage: 'unsure' });
    expect(farewell(known(due), trans).sentence).toContain(
      'It was to be stopped at'
    );
  });
});

describe('the calm page', () => {
  function begin(change: Partial<IKnown>, url: string | null = null) {
    const state = { known: known(change) };
    const changed = new Signal<object, void>({});
    const options = {
      known: () => state.known,
      again: () => ({ url, command: 'jupyter lab --port=8888' }),
      changed,
      isOver: () => false,
      callOff: jest.fn(() => Promise.resolve('It is too late.')),
      canCallOff: () => true,
      lookNow: jest.fn(() => Promise.resolve()),
      start: jest.fn(() => Promise.resolve()),
      reload: jest.fn(),
      lookAround: jest.fn(),
      trans
    };
    const { container } = render(<Calm {...options} />);
    return { ...options, container, state };
  }
  const focused = (): string | null | undefined =>
    document.activeElement?.textContent;

  it('says without a hub how to start it again', async () => {
    const { container, lookAround, lookNow } = begin({});
    expect(container.textContent).toContain('jupyter lab --port=8888');
    expect(screen.getByTitle('Copy the command')).toBeTruthy();
    expect(focused()).toBe('Try again');
    await act(async () => {
      fireEvent.click(screen.getByText('Try again'));
    });
    expect(lookNow).toHaveBeenCalledTimes(1);
    expect(screen.getByRole('status').textContent).toBe(
      'It does not answer yet.'
    );
    fireEvent.click(screen.getByText('Look around'));
    expect(lookAround).toHaveBeenCalledTimes(1);
  });

  it('leads to the hub where there is one', async () => {
    const { container, start } = begin({}, '/hub/spawn/ada');
    expect(container.textContent).not.toContain('jupyter lab');
    expect(focused()).toBe('Start again');
    await act(async () => {
      fireEvent.click(screen.getByText('Start again'));
    });
    expect(start).toHaveBeenCalledTimes(1);
  });

  it('can be called off as long as it goes on, and turns calm when it is done', async () => {
    const { callOff, changed, container, state } = begin({ contact: 'fine' });
    await act(async () => {
      fireEvent.click(screen.getByText('Do not stop'));
    });
    expect(callOff).toHaveBeenCalledTimes(1);
    expect(screen.getByRole('status').textContent).toBe('It is too late.');
    await act(async () => {
      state.known = known();
      changed.emit();
    });
    expect(container.textContent).toContain('This server is stopped');
    expect(focused()).toBe('Try again');
  });

  it('offers the new server once there is one', async () => {
    const { reload } = begin({ contact: 'returned', unsaved: ['a.py'] });
    expect(focused()).toBe('Open it');
    expect(document.body.textContent).toContain('a.py');
    fireEvent.click(screen.getByText('Open it'));
    expect(reload).toHaveBeenCalledTimes(1);
  });
});
