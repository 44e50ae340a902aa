import { ServerConnection } from '@jupyterlab/services';
import { nullTranslator } from '@jupyterlab/translation';
import { render, screen } from '@testing-library/react';
import React from 'react';

import { EnvsModel } from '../model';
import { Space } from '../space';
import { ISpaceUse, SpaceApi } from '../spaceApi';

const trans = nullTranslator.load('jupyter_mlinfn');

const USE: ISpaceUse = {
  measured: '2026-11-24T02:00:00Z',
  environments: [
    {
      id: 'e1',
      name: 'myenv',
      label: 'myenv',
      size: 137_000_000,
      size_own: 8_600_000,
      files_own: 812,
      revisions: 2,
      revisions_bytes: null,
      revisions_files: null
    }
  ],
  cache: {
    display: 'private/environments/.mlinfn/pkgs',
    size: 138_000_000,
    unused_bytes: 0,
    unused_packages: 0,
    unused_files: 0
  },
  wheels: { size: 0, unused_bytes: 0 },
  free_bytes: 61_500_000_000,
  free_files: null,
  quota: false,
  revisions_limit: 2_000_000_000
};

async function show(change: Partial<ISpaceUse>): Promise<HTMLElement> {
  const api = new SpaceApi(ServerConnection.makeSettings());
  jest.spyOn(api, 'use').mockResolvedValue({ ...USE, ...change });
  render(
    <Space
      api={api}
      envs={new EnvsModel(() => new Promise(() => undefined))}
      started={() => undefined}
      trans={trans}
    />
  );
  return screen.findByRole('row', { name: /myenv/ });
}

describe('Space', () => {
  it('counts files only where there is a limit on them', async () => {
    expect((await show({})).textContent).not.toContain('file');
    expect(screen.queryByText(/more files are allowed/)).toBeNull();
  });

  it('counts them beside the bytes where there is one', async () => {
    const row = await show({ quota: true, free_files: 50_000 });
    expect(row.textContent).toContain('8.6 MB · 812 files');
    expect(screen.getByText(/more files are allowed/)).toBeTruthy();
  });

  it('does not call nothing what is not measured yet', async () => {
    const row = await show({ quota: true });
    expect(row.lastElementChild?.textContent).toBe('measuring…');
  });
});
