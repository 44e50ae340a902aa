import { nullTranslator } from '@jupyterlab/translation';
import { fireEvent, render, screen } from '@testing-library/react';
import React from 'react';

import { EnvsApi } from '../api';
import { IRevision, IRevisionList } from '../changesApi';
import { describeRevision, Revisions } from '../revisions';
import { environment, NO_FILES, packageChange } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

function revision(change: Partial<IRevision> = {}): IRevision {
  return {
    number: 2,
    created: '2026-11-23T20:00:00Z',
    action: 'install',
    by: 'JupyterLab',
    asked: ['numpy'],
    target: null,
    packages: [packageChange()],
    files: NO_FILES,
    package_count: 47,
    current: false,
    restorable: true,
    problem: null,
    kept_bytes: null,
    ...change
  };
}

function show(
  list: Partial<IRevisionList>,
  goBack?: (n: number) => void
): void {
  const revisions = async (): Promise<IRevisionList> => ({
    revisions: [],
    drift: null,
    kept_bytes: null,
    limit_bytes: null,
    ...list
  });
  render(
    <Revisions
      environment={environment()}
      api={{ changes: { revisions } } as unknown as EnvsApi}
      asOf={null}
      goBack={goBack}
      trans={trans}
    />
  );
}

describe('Revisions', () => {
  it('offers the way back to all but the current and the lost ones', async () => {
    const goBack = jest.fn();
    show(
      {
        revisions: [
          revision({ number: 3, current: true }),
          revision({ number: 2 }),
          revision({ number: 1, restorable: false, problem: 'a file is gone' })
        ]
      },
      goBack
    );
    fireEvent.click(
      await screen.findByRole('button', { name: 'Go back to revision 2' })
    );
    expect(goBack.mock.calls).toEqual([[2]]);
    expect(screen.getAllByRole('button')).toHaveLength(1);
    expect(
      screen.getByText('It cannot be gone back to: a file is gone')
    ).toBeTruthy();
  });

  it('cannot go back while something else changes it', async () => {
    show({ revisions: [revision({ number: 3, current: true }), revision()] });
    const button = await screen.findByRole('button');
    expect((button as HTMLButtonElement).disabled).toBe(true);
  });

  it('says what is kept only where that is known', async () => {
    show({ revisions: [revision()], kept_bytes: 210e6, limit_bytes: 2e9 });
    await screen.findByText('Kept for going back: 210 MB of at most 2 GB');
  });
});

describe('describeRevision', () => {
  it('tells what was asked for', () => {
    const tell = (change: Partial<IRevision>): string =>
      describeRevision(revision(change), trans);
    expect(tell({})).toBe('installed numpy');
    expect(tell({ action: 'update', asked: [] })).toBe('updated all');
    expect(tell({ action: 'rollback', target: 1 })).toBe(
      'went back to revision 1'
    );
    expect(tell({ action: 'outside', asked: [] })).toBe('changed outside');
  });
});
