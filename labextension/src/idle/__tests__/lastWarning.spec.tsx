import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, screen } from '@testing-library/react';

import { askLast } from '../lastWarning';
import { answer, at, setUp, warned } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

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

describe('the last warning', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  async function begin(first = warned({ last: true, stops_at: at(118) })) {
    const parts = setUp(first);
    await parts.model.refresh();
    let asked = Promise.resolve<string>('');
    await act(async () => {
      asked = askLast(parts.model, '', trans);
      await jest.advanceTimersByTimeAsync(50);
    });
    return { ...parts, asked };
  }

  const labels = (): (string | null)[] =>
    screen.getAllByRole('button').map(({ textContent }) => textContent);

  it('has a clock that runs, and the focus on what keeps the server', async () => {
    const { asked, model } = await begin();
    const clock = screen.getByRole('timer');
    expect(clock.textContent).toBe('1:57');
    await act(() => jest.advanceTimersByTimeAsync(60000));
    expect(clock.textContent).toBe('0:57');
    expect(labels()).toEqual([
      'Why?',
      'Save and stop now',
      'Keep for…',
      "I'm still here"
    ]);
    expect(document.activeElement?.textContent).toBe("I'm still here");
    expect(document.body.textContent).toContain(
      'Results of cells that finish while no page is open are not in the notebook file.'
    );
    await act(async () => {
      fireEvent.click(screen.getByText("I'm still here"));
      expect(await asked).toBe('here');
    });
    expect(document.querySelector('dialog')).toBe(null);
    model.dispose();
  });

  it('tells a screen reader from time to time, not every second', async () => {
    const { asked, model, tell } = await begin();
    const live = document.querySelector('[aria-live=assertive]');
    const told = new Set([live?.textContent]);
    for (let i = 0; i < 118; i++) {
      await act(() => jest.advanceTimersByTimeAsync(1000));
      told.add(live?.textContent);
    }
    expect(told.size).toBeLessThanOrEqual(5);
    expect(Array.from(told)).toContain('Less than 60 seconds left.');
    await act(async () => {
      await tell(answer());
      await asked;
    });
    model.dispose();
  });

  it('is not lost by Escape: it is to be told otherwise', async () => {
    const { asked, model } = await begin();
    await act(async () => {
      const escape = new Event('cancel', { cancelable: true });
      document.querySelector('dialog')?.dispatchEvent(escape);
      expect(escape.defaultPrevented).toBe(true);
      expect(await asked).toBe('later');
    });
    model.dispose();
  });

  it('goes when it was answered in another tab', async () => {
    const { asked, model, tell } = await begin();
    await act(async () => {
      await tell(answer());
      expect(await asked).toBe('gone');
    });
    expect(document.querySelector('dialog')).toBe(null);
    model.dispose();
  });

  it('does not offer what does not help, nor put the focus on what stops', async () => {
    const { asked, model, tell } = await begin(
      warned({
        last: true,
        extendable: false,
        reason: 'JupyterHub stops every server 8 h after its start.'
      })
    );
    expect(labels()).toEqual(['Why?', 'Save and stop now', 'Go on working']);
    expect(document.activeElement?.textContent).toBe('Go on working');
    expect(document.body.textContent).toContain(
      'used or not. JupyterHub stops every server 8 h after its start.'
    );
    await act(async () => {
      await tell(answer());
      await asked;
    });
    model.dispose();
  });

  it('names the cells that are broken off', async () => {
    const busy = [{ title: 'train.ipynb', path: null, since: at(-2460) }];
    const first = { ...warned({ last: true }), busy };
    const { asked, model, tell } = await begin(first);
    expect(document.body.textContent).toContain(
      'train.ipynb has been running a cell for 41 minutes.'
    );
    await act(async () => {
      await tell(answer());
      await asked;
    });
    model.dispose();
  });
});
