import { fireEvent, render, screen } from '@testing-library/react';
import React from 'react';

import { Tabs } from '../tabs';

describe('Tabs', () => {
  it('chooses with the arrow keys, round and round, and has one stop of Tab', () => {
    render(
      <Tabs
        label="What is in it"
        tabs={[
          { key: 'a', title: 'Packages', content: 'the packages' },
          { key: 'b', title: 'Revisions', content: 'the revisions' }
        ]}
      />
    );
    const press = (key: string): string | null => {
      fireEvent.keyDown(document.activeElement ?? document.body, { key });
      return document.activeElement?.textContent ?? null;
    };
    screen.getByRole('tab', { name: 'Packages' }).focus();
    const panel = screen.getByRole('tabpanel', { name: 'Packages' });
    expect(panel.textContent).toBe('the packages');
    expect(press('ArrowRight')).toBe('Revisions');
    expect(panel.textContent).toBe('the revisions');
    expect(['ArrowRight', 'ArrowLeft', 'Home', 'End'].map(press)).toEqual([
      'Packages',
      'Revisions',
      'Packages',
      'Revisions'
    ]);
    const stops = screen.getAllByRole('tab').map(tab => tab.tabIndex);
    expect(stops).toEqual([-1, 0]);
  });
});
