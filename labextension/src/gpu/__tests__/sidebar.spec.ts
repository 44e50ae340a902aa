import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, screen } from '@testing-library/react';
import { Widget } from '@lumino/widgets';

import { GpuSidebar } from '../sidebar';
import { setUp } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

describe('the sidebar', () => {
  it('says that the panel could not be loaded, and tries again', async () => {
    const { model } = setUp();
    const load = jest
      .fn<Promise<Widget>, []>()
      .mockRejectedValueOnce(new Error('Loading chunk 7 failed.'))
      .mockImplementation(async () => new Widget());
    const sidebar = new GpuSidebar(model, load, trans);
    await act(async () => Widget.attach(sidebar, document.body));
    const error = await screen.findByRole('alert');
    expect(error.textContent).toContain('The GPU panel could not be loaded.');
    expect(error.textContent).toContain('Loading chunk 7 failed.');

    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Try again' }));
    });
    expect(load).toHaveBeenCalledTimes(2);
    expect(screen.queryByRole('alert')).toBeNull();
    expect(sidebar.widgets.length).toBe(1);
    sidebar.dispose();
    model.dispose();
  });
});
