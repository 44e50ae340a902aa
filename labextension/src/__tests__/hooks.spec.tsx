import { act, render, screen } from '@testing-library/react';
import React from 'react';

import { MlinfnError } from '../api';
import { useFetched } from '../hooks';

type Answer = (outcome: string | Error) => void;

describe('useFetched', () => {
  let answers: Answer[];

  beforeEach(() => {
    answers = [];
  });

  function Shown(props: { key_: number }): JSX.Element {
    const { value, error } = useFetched<string>(
      () =>
        new Promise((resolve, reject) => {
          answers.push(outcome =>
            outcome instanceof Error ? reject(outcome) : resolve(outcome)
          );
        }),
      [props.key_]
    );
    return <p role="note">{`${value} ${error?.message ?? 'fine'}`}</p>;
  }

  const told = (): string | null => screen.getByRole('note').textContent;

  it('does not let an earlier answer replace a later one', async () => {
    const { rerender } = render(<Shown key_={1} />);
    rerender(<Shown key_={2} />);
    await act(async () => answers[1]('second'));
    await act(async () => answers[0]('first'));
    expect(told()).toBe('second fine');
  });

  it('keeps what was read when reading again fails, and says so', async () => {
    const { rerender } = render(<Shown key_={1} />);
    await act(async () => answers[0]('first'));
    rerender(<Shown key_={2} />);
    await act(async () =>
      answers[1](
        new MlinfnError({ kind: '', message: 'gone', reason: null }, 503)
      )
    );
    expect(told()).toBe('first gone');
  });
});
