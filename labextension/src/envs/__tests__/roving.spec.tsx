import { fireEvent, render, screen } from '@testing-library/react';
import React from 'react';

import { moveFocus } from '../roving';

describe('moveFocus', () => {
  it('moves among the entries of all lists and stops at both ends', () => {
    render(
      <nav onKeyDown={moveFocus}>
        <button>New environment</button>
        <button className="jp-mlinfn-Item">one</button>
        <ul>
          <li>
            <button className="jp-mlinfn-Item">two</button>
          </li>
        </ul>
        <button className="jp-mlinfn-Item">three</button>
      </nav>
    );
    const press = (key: string): string | null => {
      fireEvent.keyDown(document.activeElement ?? document.body, { key });
      return document.activeElement?.textContent ?? null;
    };
    screen.getByText('one').focus();
    expect(
      [
        'ArrowDown',
        'ArrowDown',
        'ArrowDown',
        'ArrowUp',
        'Home',
        'ArrowUp',
        'End'
      ].map(press)
    ).toEqual(['two', 'three', 'three', 'two', 'one', 'one', 'three']);
    screen.getByText('New environment').focus();
    expect(press('ArrowDown')).toBe('New environment');
  });
});
