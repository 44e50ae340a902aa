import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, screen } from '@testing-library/react';

import { IStopped } from '../api';
import { WelcomeCard } from '../welcome';
import { WelcomeModel } from '../welcomeModel';
import { stopped } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');
const card = (): HTMLElement | null =>
  document.querySelector('.jp-mlinfn-Welcome');

async function begin(first: IStopped | null = stopped()) {
  const told = { stopped: first };
  const source = {
    welcome: jest.fn(() => Promise.resolve(told.stopped)),
    dismiss: jest.fn(() => Promise.resolve())
  };
  const model = new WelcomeModel(source);
  await model.read();
  const openDocument = jest.fn();
  const openFolder = jest.fn();
  let widget: WelcomeCard | null = null;
  await act(async () => {
    widget = new WelcomeCard({
      model,
      openDocument,
      openFolder,
      exists: path => Promise.resolve(!/gone|^kept|rescued\/.*here/.test(path)),
      trans
    });
    await new Promise(resolve => setTimeout(resolve, 50));
  });
  const over = (): Promise<void> =>
    act(async () => {
      await model.dismiss();
    });
  return {
    model,
    openDocument,
    openFolder,
    over,
    source,
    told,
    widget: widget! as WelcomeCard
  };
}

describe('the card of who comes back', () => {
  it('tells when, why, what was kept, and what was open', async () => {
    const { openDocument, openFolder, over } = await begin();
    const text = card()?.textContent;
    expect(text).toContain('Your server was stopped');
    expect(text).toContain('Nothing had happened for 3 hours.');
    expect(text).toContain('13 slice-hours');
    expect(text).toContain('Kept: 3 files (1.2 GB) in');
    expect(text).toContain('gone.ipynb (no longer there)');
    fireEvent.click(screen.getByText('private/rescued/2026-11-24'));
    expect(openFolder).toHaveBeenCalledWith('private/rescued/2026-11-24');
    fireEvent.click(screen.getByText('here.ipynb'));
    expect(openDocument).toHaveBeenCalledWith('here.ipynb');
    await over();
  });

  it('hides nothing that was lost', async () => {
    const { over } = await begin(
      stopped({
        rescue: null,
        lost: { files: 2, bytes: 5e9 },
        failed: [{ path: 'b.py', reason: 'It is read-only.' }],
        silent: 1,
        open: []
      })
    );
    const text = card()?.textContent;
    expect(text).toContain('Lost: 2 files (5 GB)');
    expect(text).toContain('Not saved: b.py. It is read-only.');
    expect(text).toContain('1 page did not answer before the stop');
    await over();
  });

  it('opens the copy of a document that was kept', async () => {
    const { openDocument, over } = await begin(
      stopped({ open: ['kept.ipynb'] })
    );
    expect(card()?.textContent).toContain(
      'kept.ipynb (the copy that was kept)'
    );
    fireEvent.click(screen.getByText('kept.ipynb'));
    expect(openDocument).toHaveBeenCalledWith(
      'private/rescued/2026-11-24/kept.ipynb'
    );
    await over();
  });

  it('tells once of what was not kept', async () => {
    const { over } = await begin(
      stopped({
        rescue: {
          ...stopped().rescue!,
          left: [{ path: '/w/big.h5', size: 5e9, reason: 'It is too large.' }],
          left_count: 1,
          left_bytes: 5e9
        },
        lost: { files: 1, bytes: 5e9 }
      })
    );
    expect(card()?.textContent).toContain('Not kept: 1 file (5 GB): big.h5');
    expect(card()?.textContent).not.toContain('Lost');
    await over();
  });

  it('takes no focus, and goes with Escape for who is in it', async () => {
    const { source, widget } = await begin();
    expect(card()?.contains(document.activeElement)).toBe(false);
    widget.focus();
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Close');
    await act(async () => {
      fireEvent.keyDown(document.activeElement!, { key: 'Escape' });
    });
    expect(card()).toBe(null);
    expect(source.dismiss).toHaveBeenCalledTimes(1);
  });

  it('goes when it was closed in another tab', async () => {
    const { model, source, told } = await begin();
    told.stopped = null;
    await act(() => model.readIfShown());
    expect(card()).toBe(null);
    expect(source.dismiss).not.toHaveBeenCalled();
    await model.readIfShown();
    expect(source.welcome).toHaveBeenCalledTimes(2);
  });
});
