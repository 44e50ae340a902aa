import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, render, screen } from '@testing-library/react';
import React from 'react';

import { MlinfnError } from '../../api';
import { FreeDialog } from '../dialog';
import { answer, at, files, page, RESCUE, setUp, stop } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

const CELL = {
  kernel_id: 'a',
  title: 'train.ipynb',
  path: 'train.ipynb',
  since: at(-2460)
};

const line = (container: HTMLElement, name: string): Element | null =>
  container.querySelector(`[data-line=${name}]`);

describe('the dialog that frees resources', () => {
  async function begin(
    first: ReturnType<typeof answer> | Error = answer(),
    unsaved: string[] = []
  ) {
    const parts = setUp(first);
    const documents = page(unsaved);
    const chosen = jest.fn();
    const { container } = render(
      <FreeDialog
        model={parts.model}
        documents={documents}
        canFreeGpu={() => true}
        canShow={true}
        answer={chosen}
        trans={trans}
      />
    );
    await act(() => parts.model.survey());
    return { ...parts, chosen, container, documents };
  }

  it('has all its lines from the beginning', async () => {
    const { model } = setUp();
    const { container } = render(
      <FreeDialog
        model={model}
        documents={page(['a.py'])}
        canFreeGpu={() => false}
        canShow={true}
        answer={jest.fn()}
        trans={trans}
      />
    );
    const lines = Array.from(container.querySelectorAll('[data-line]'));
    expect(lines.map(each => each.getAttribute('data-line'))).toEqual([
      'documents',
      'running',
      'terminals',
      'files'
    ]);
    // What this page knows itself needs no server.
    expect(lines[0].textContent).toContain('1 document with unsaved changes');
    expect(lines[3].textContent).toContain('looking…');
    // Nor does it claim what nobody was asked for since.
    await act(() => model.refresh());
    expect(lines[2].textContent).toContain('looking…');
    expect(screen.getByText('Stop now').closest('button')?.disabled).toBe(
      false
    );
    model.dispose();
  });

  it('names all that would be lost, with what can be done about it', async () => {
    const { container, model } = await begin(
      answer({
        running: [CELL],
        holders: [
          { kind: 'notebook', id: 'a', title: 'x', path: null, memory: 2 ** 30 }
        ],
        files: files(),
        rescue: RESCUE
      }),
      ['a.py', 'b.py']
    );
    expect(container.textContent).toContain(
      'MIG 1g.5gb, 3.1 of 4.8 GiB in use'
    );
    expect(line(container, 'documents')?.textContent).toContain('Save all');
    expect(line(container, 'running')?.textContent).toContain(
      'Stop when it finishes'
    );
    expect(line(container, 'gpu')?.textContent).toContain('x (1.0 GiB)');
    expect(line(container, 'files')?.textContent).toContain('Show');
    expect(container.textContent).toContain(
      'private/ and shared/ and the environments in there stay.'
    );
    expect(document.activeElement?.textContent).toBe('Cancel');
    model.dispose();
  });

  it('stops, and keeps files unless somebody does not want that', async () => {
    const { chosen, model, source } = await begin(
      answer({ files: files(), rescue: RESCUE })
    );
    await act(async () => {
      fireEvent.click(screen.getByText('Stop now'));
    });
    expect(source.stop).toHaveBeenLastCalledWith('now', true);
    expect(chosen).toHaveBeenLastCalledWith('stopped');
    fireEvent.click(screen.getByRole('checkbox'));
    await act(async () => {
      fireEvent.click(screen.getByText('Stop now'));
    });
    expect(source.stop).toHaveBeenLastCalledWith('now', false);
    model.dispose();
  });

  it('keeps files also before anybody has told whether it can', async () => {
    const { model, source } = await begin(
      answer({ files: null, rescue: null })
    );
    const box = screen.getByRole<HTMLInputElement>('checkbox');
    expect([box.checked, box.disabled]).toEqual([true, false]);
    await act(async () => {
      fireEvent.click(screen.getByText('Stop now'));
    });
    expect(source.stop).toHaveBeenLastCalledWith('now', true);
    model.dispose();
  });

  it('says why nothing can be kept, and promises nothing', async () => {
    const { container, model, source } = await begin(
      answer({
        files: files(),
        rescue: { ...RESCUE, possible: false, reason: 'No storage lasts here.' }
      })
    );
    expect(screen.getByRole<HTMLInputElement>('checkbox').disabled).toBe(true);
    expect(screen.getByRole<HTMLInputElement>('checkbox').checked).toBe(false);
    expect(container.textContent).toContain('No storage lasts here.');
    await act(async () => {
      fireEvent.click(screen.getByText('Stop now'));
    });
    expect(source.stop).toHaveBeenLastCalledWith('now', false);
    model.dispose();
  });

  it('stops when running cells have finished, and can be told not to', async () => {
    const { chosen, model, source, tell } = await begin(
      answer({ running: [CELL], files: files(), rescue: RESCUE })
    );
    await act(async () => {
      fireEvent.click(screen.getByText('Stop when it finishes'));
    });
    expect(source.stop).toHaveBeenLastCalledWith('finished', true);
    expect(chosen).toHaveBeenLastCalledWith('waiting');
    await act(() =>
      tell(
        answer({
          running: [CELL],
          stop: stop('waiting', { waits_for: ['train.ipynb'] })
        })
      )
    );
    expect(screen.queryByText('Stop when it finishes')).toBe(null);
    await act(async () => {
      fireEvent.click(screen.getByText('Do not wait to stop'));
    });
    expect(source.callOff).toHaveBeenCalledTimes(1);
    model.dispose();
  });

  it('saves this page’s documents, asks anew, and tells what failed', async () => {
    const { container, documents, model, source } = await begin(answer(), [
      'a.py'
    ]);
    documents.saveAll.mockResolvedValue({
      documents: [],
      failed: [{ path: 'a.py', reason: 'No space left on device' }]
    });
    await act(async () => {
      fireEvent.click(screen.getByText('Save'));
    });
    expect(source.survey).toHaveBeenCalledTimes(2);
    expect(container.textContent).toContain('a.py is not saved.');
    expect(container.textContent).toContain('No space left on device');
    model.dispose();
  });

  it('stays, with the reason, where the stop was refused', async () => {
    const { chosen, container, model, told } = await begin(
      answer({ files: files(), rescue: RESCUE })
    );
    told.answer = new MlinfnError(
      { message: 'It cannot be stopped.', reason: 'Why not.' },
      409
    );
    await act(async () => {
      fireEvent.click(screen.getByText('Stop now'));
    });
    expect(chosen).not.toHaveBeenCalled();
    expect(container.textContent).toContain('It cannot be stopped.');
    model.dispose();
  });

  it('says that the server does not answer', async () => {
    const { container, model } = await begin(new Error('Failed to fetch'));
    expect(container.textContent).toContain('The server does not answer.');
    model.dispose();
  });
});
