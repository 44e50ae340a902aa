import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { act, fireEvent, render, screen } from '@testing-library/react';
import React from 'react';

import { IJobs } from '../../jobs/tokens';
import { setVisible } from '../../gpu/__tests__/fakes';
import { Connection } from '../connection';
import { Interruption } from '../interruption';
import { ILook } from '../judge';
import { Parting } from '../parting';
import { Status } from '../status';
import { answer, serverEnd, setUp, stop } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');
const GONE: ILook = { status: 424, started: null };

/**
 * What jsdom lacks of a browser's dialogs.
 */
beforeAll(() => {
  HTMLDialogElement.prototype.showModal = function () {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function () {
    this.open = false;
  };
});

async function begin(unsaved = ['a.py']) {
  setVisible(true);
  const told = { look: { status: 200, started: 'one' } as ILook, online: true };
  const connection = new Connection({
    look: () => Promise.resolve(told.look),
    around: () => ({ online: told.online, hub: true, local: false })
  });
  await connection.meet();
  const session = setUp();
  const { end, model: idle } = serverEnd(unsaved);
  const jobs = {
    model: {
      jobs: [],
      changed: new Signal<object, void>({}),
      refresh: jest.fn(() => Promise.resolve())
    }
  };
  const parting = new Parting({
    connection,
    end,
    jobs: jobs as unknown as IJobs,
    model: session.model,
    trans
  });
  await parting.load();
  await session.model.refresh();
  const lose = (look: ILook): Promise<void> =>
    act(async () => {
      told.look = look;
      connection.suspect();
      await connection.lookNow();
      await jest.advanceTimersByTimeAsync(50);
    });
  const finish = (): void => {
    connection.dispose();
    session.model.dispose();
    idle.dispose();
  };
  return { connection, finish, jobs, lose, parting, session, told };
}

const calm = (): HTMLElement | null =>
  document.querySelector('.jp-mlinfn-Calm');
const press = (label: string): Promise<void> =>
  act(async () => {
    fireEvent.click(screen.getByText(label));
    await jest.advanceTimersByTimeAsync(50);
  });

describe('parting from a server', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('shows a page once it is gone, which goes when it is back', async () => {
    const { finish, lose, told, connection } = await begin();
    expect(calm()).toBe(null);
    await lose(GONE);
    expect(calm()?.textContent).toContain(
      'This server was stopped, or does not answer'
    );
    told.look = { status: 200, started: 'one' };
    await act(async () => {
      await connection.lookNow();
      await jest.advanceTimersByTimeAsync(50);
    });
    expect(calm()).toBe(null);
    finish();
  });

  it('stays closed when somebody looks around, until they ask for it', async () => {
    const { finish, lose, parting, told, connection } = await begin();
    await lose(GONE);
    await press('Look around');
    expect(calm()).toBe(null);
    await act(() => jest.advanceTimersByTimeAsync(60000));
    expect(calm()).toBe(null);
    await act(async () => {
      parting.show();
      await jest.advanceTimersByTimeAsync(50);
    });
    expect(calm()).not.toBe(null);
    await press('Look around');
    // Something else is to be told.
    told.look = { status: 200, started: 'two' };
    await act(async () => {
      await connection.lookNow();
      await jest.advanceTimersByTimeAsync(50);
    });
    expect(calm()?.textContent).toContain('This server is running again');
    expect(calm()?.textContent).toContain('a.py');
    await press('Look around');
    finish();
  });

  it('is there from the click on, for who asked', async () => {
    const { finish, jobs, session } = await begin();
    session.told.answer = answer({ stop: stop('saving') });
    await act(async () => {
      await session.model.refresh();
      await jest.advanceTimersByTimeAsync(50);
    });
    // Somebody else did.
    expect(calm()).toBe(null);
    session.told.answer = answer({ stop: stop('rescuing', { job: 'one' }) });
    await act(async () => {
      await session.model.stop('now', true);
      await jest.advanceTimersByTimeAsync(50);
    });
    expect(calm()?.textContent).toContain('This server is being stopped');
    // What the rescue has done cannot be asked for later.
    expect(jobs.model.refresh).toHaveBeenCalled();
    session.told.answer = answer();
    await press('Do not stop');
    expect(calm()).toBe(null);
    finish();
  });

  it('claims nothing but an interruption where the network is missing', async () => {
    const { connection, finish, told } = await begin();
    new Interruption(connection, trans);
    told.look = { status: 0, started: null };
    told.online = false;
    const said = (): (string | null)[] =>
      Array.from(
        document.querySelectorAll('.jp-mlinfn-Interruption p'),
        ({ textContent }) => textContent
      );
    await act(async () => {
      connection.suspect();
      await jest.advanceTimersByTimeAsync(500);
    });
    expect(said()).toEqual([]);
    await act(() => jest.advanceTimersByTimeAsync(600000));
    expect(calm()).toBe(null);
    expect(said()).toHaveLength(1);
    expect(said()[0]).toContain('This computer has no network.');
    told.look = { status: 200, started: 'one' };
    told.online = true;
    await act(() => jest.advanceTimersByTimeAsync(11000));
    expect(said()).toEqual([]);
    finish();
  });
});

describe('the status bar item', () => {
  it('offers to free, tells of a stop that waits, and of the end', async () => {
    jest.useFakeTimers();
    const { finish, lose, parting, session } = await begin();
    const open = jest.fn();
    const callOff = jest.fn();
    const { container } = render(
      <Status
        model={session.model}
        parting={parting}
        open={open}
        callOff={callOff}
        trans={trans}
      />
    );
    expect(container.textContent).toBe('Free');
    fireEvent.click(screen.getByText('Free'));
    expect(open).toHaveBeenCalledTimes(1);
    await act(() =>
      session.tell(
        answer({ stop: stop('waiting', { waits_for: ['train.ipynb'] }) })
      )
    );
    expect(container.textContent).toBe('stops when train.ipynb finishesCancel');
    fireEvent.click(screen.getByText('Cancel'));
    expect(callOff).toHaveBeenCalledTimes(1);
    await lose(GONE);
    expect(container.textContent).toBe('Server stopped');
    await press('Look around');
    fireEvent.click(screen.getByText('Server stopped'));
    await act(() => jest.advanceTimersByTimeAsync(50));
    expect(calm()).not.toBe(null);
    await press('Look around');
    finish();
    jest.useRealTimers();
  });
});
