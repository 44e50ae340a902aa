import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, render, screen } from '@testing-library/react';
import React from 'react';

import { choices, KeepBody, secondsUntilClock } from '../keep';
import { answer, setUp, START } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');
const HOUR = 3600;

describe('how long to keep', () => {
  it('is never more than is allowed', () => {
    expect(choices(12 * HOUR)).toEqual([HOUR, 2 * HOUR, 4 * HOUR]);
    expect(choices(3 * HOUR)).toEqual([HOUR, 2 * HOUR]);
    expect(choices(90.5)).toEqual([90]);
  });

  it('can be until a time of the day, today or tomorrow', () => {
    const now = new Date(START);
    now.setHours(14, 0, 0, 0);
    expect(secondsUntilClock('17:30', now.getTime())).toBe(3.5 * HOUR);
    expect(secondsUntilClock('14:00', now.getTime())).toBe(24 * HOUR);
    expect(secondsUntilClock('02:00', now.getTime())).toBe(12 * HOUR);
    expect(secondsUntilClock('', now.getTime())).toBe(null);
  });

  it('is chosen, and told with its end before it is asked for', async () => {
    const { model } = setUp(answer());
    await model.refresh();
    const choose = jest.fn();
    const { container } = render(
      <KeepBody model={model} choose={choose} trans={trans} />
    );
    expect(container.textContent).toContain('This server is kept until');
    fireEvent.click(screen.getByLabelText('4 hours'));
    expect(choose).toHaveBeenLastCalledWith(4 * HOUR);
    fireEvent.click(screen.getByLabelText('until'));
    expect(choose).toHaveBeenLastCalledWith(null);
    expect(container.textContent).toContain('Choose a time');
    // 13 hours ahead, of 12.
    const far = new Date(model.now + 13 * HOUR * 1000);
    const clock = `${far.getHours()}`.padStart(2, '0') + ':00';
    await act(async () => {
      fireEvent.change(screen.getByLabelText('Time of the day'), {
        target: { value: clock }
      });
    });
    expect(choose).toHaveBeenLastCalledWith(null);
    expect(container.textContent).toContain('at most; ask again later.');
    model.dispose();
  });
});
