import { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, render, screen, within } from '@testing-library/react';
import React from 'react';

import { GpuActions } from '../actions';
import { IGpuView } from '../api';
import { Content } from '../panel';
import { Release } from '../release';
import {
  answer,
  device,
  GIB,
  process,
  sample,
  setUp,
  setVisible,
  state,
  view
} from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');
const TRAIN = process(10, 2.9 * GIB, { id: 'k1' });
const OTHER = process(11, 0.5 * GIB, {
  id: 'k2',
  title: 'Console 1',
  kind: 'console'
});
const TERMINAL = process(12, null, {
  kind: 'terminal',
  id: '2',
  title: 'Terminal 2, python',
  path: null
});

async function show(change: Partial<IGpuView>, widgets: unknown[] = []) {
  const { model, source, told } = setUp(
    answer({
      seq: 2,
      samples: [sample(1, 0, GIB), sample(2, 2, 3.1 * GIB)],
      view: view(change)
    })
  );
  const opened: unknown[] = [];
  const app = {
    shell: {
      widgets: () => widgets,
      activateById: (id: string) => opened.push(id)
    },
    commands: {
      hasCommand: () => true,
      execute: async (id: string, args: unknown) => opened.push([id, args])
    },
    serviceManager: {
      kernels: {
        refreshRunning: async () => undefined,
        running: () => [{ id: 'k1', execution_state: 'busy' }]
      },
      sessions: { refreshRunning: async () => undefined }
    }
  };
  const actions = new GpuActions(app as unknown as JupyterFrontEnd);
  const release = new Release(model, actions, trans);
  model.setShown(model, true);
  const { container } = render(
    <Content model={model} actions={actions} release={release} trans={trans} />
  );
  await settle();
  const read = async (changed: Partial<IGpuView>): Promise<void> => {
    told.answer = answer({ seq: 2, revision: 2, view: view(changed) });
    model.refresh();
    await settle();
  };
  return { container, model, opened, read, release, source };
}

const settle = (): Promise<void> =>
  act(() => jest.advanceTimersByTimeAsync(10));
const held = (...list: (typeof TRAIN)[]): Partial<IGpuView> => ({
  processes: {
    time: '2026-11-24T12:00:00Z',
    list,
    other_bytes: 0.1 * GIB,
    note: ''
  }
});
const rows = (): string[] =>
  Array.from(document.querySelectorAll('.jp-mlinfn-Holder')).map(
    row =>
      `${row.querySelector('.jp-mlinfn-Holder-title')?.textContent}: ` +
      row.querySelector('.jp-mlinfn-Holder-size')?.textContent
  );

describe('the GPU panel', () => {
  beforeEach(() => {
    jest.useFakeTimers();
    setVisible(true);
  });

  afterEach(() => {
    jest.useRealTimers();
    Notification.dismiss();
    document.body.innerHTML = '';
  });

  it('says what it is, how full, and that computing is not reported', async () => {
    const { container, model } = await show({});
    screen.getByRole('heading', { name: 'MIG 1g.5gb on A100-PCIE-40GB' });
    expect(container.textContent).toContain('fine');
    expect(container.textContent).toContain('3.1 of 4.8 GiB');
    expect(container.textContent).toContain(
      'not reported by the driver for this MIG instance'
    );
    expect(container.textContent).not.toContain('0 %');
    const chart = screen.getByRole('slider');
    expect(chart.getAttribute('aria-label')).toBe(
      'Memory: between 1.0 GiB and 3.1 GiB in the last 10 minutes, 3.1 GiB at last'
    );
    fireEvent.keyDown(chart, { key: 'ArrowLeft' });
    fireEvent.keyDown(chart, { key: 'ArrowLeft' });
    expect(chart.getAttribute('aria-valuetext')).toMatch(/^1.0 GiB at /);
    fireEvent.keyDown(chart, { key: 'Escape' });
    expect(chart.getAttribute('aria-valuetext')).toContain('at last');
    model.dispose();
  });

  it('explains what is not reported to who asks', async () => {
    const { model } = await show({});
    const button = screen.getByRole('button', {
      name: 'What this means: Compute'
    });
    expect(button.getAttribute('aria-expanded')).toBe('false');
    fireEvent.click(button);
    expect(button.getAttribute('aria-expanded')).toBe('true');
    expect(screen.getByText(/for whole boards only/).hidden).toBe(false);
    model.dispose();
  });

  it('draws computing where it is reported', async () => {
    const full = device({
      kind: 'gpu',
      profile: null,
      utilisation: 40,
      utilisation_note: ''
    });
    const { container, model, source } = await show({ devices: [full] });
    expect(container.textContent).toContain('40 %');
    source.read.mockResolvedValue(
      answer({
        seq: 3,
        view: null,
        samples: [sample(3, 4, GIB, { utilisation: 62.4 })]
      })
    );
    model.refresh();
    await settle();
    expect(container.textContent).toContain('62 %');
    expect(screen.getAllByRole('slider').length).toBe(2);
    // It is not shared: nobody else is on that board.
    expect(container.textContent).not.toContain('shared with others');
    model.dispose();
  });

  it('tells a state with its next step, and labels what is of before', async () => {
    const { container, model } = await show({
      state: state({
        kind: 'lost',
        severity: 'error',
        sentence: 'The GPU fell off the bus.',
        next_step: 'Stop this server and start another.'
      })
    });
    expect(container.textContent).toContain('The GPU fell off the bus.');
    expect(container.textContent).toContain('Stop this server');
    expect(container.textContent).toContain('may be those of before');
    model.dispose();
  });

  it('does not say that what was read before a hang is of now', async () => {
    const { container, model, read } = await show({});
    const edge = (): string | null | undefined =>
      container.querySelector('figcaption span:last-child')?.textContent;
    expect(edge()).toBe('now');
    await read({ state: state({ kind: 'hanging', severity: 'error' }) });
    expect(edge()).toMatch(/\d:\d\d:\d\d/);
    model.dispose();
  });

  it('goes on with the others where one of several fails', async () => {
    const gone = device({
      uuid: 'MIG-2',
      gi: 10,
      memory_used: null,
      memory_free: null
    });
    const { container, model } = await show({
      devices: [device(), gone],
      state: state({
        kind: 'lost',
        severity: 'error',
        sentence: 'It fell off the bus. This is about MIG-2 only.',
        partial: true
      })
    });
    expect(container.textContent).toContain('about MIG-2 only');
    expect(container.textContent).toContain('3.1 of 4.8 GiB');
    expect(container.textContent).toContain('not reported, of 4.8 GiB');
    expect(container.textContent).not.toContain('may be those of before');
    expect(container.querySelector('figcaption')?.textContent).toContain('now');
    model.dispose();
  });

  it('names those to choose from where it is not clear which is meant', async () => {
    const figures = { memory_used: null, memory_free: null };
    const { container, model } = await show({
      devices: [device(figures), device({ ...figures, uuid: 'MIG-2', gi: 10 })],
      selection: { source: 'driver', ambiguous: true, note: '' },
      state: state({ kind: 'ambiguous', severity: 'warn' })
    });
    screen.getByRole('heading', { name: 'One of 2 GPU devices' });
    screen.getByText('MIG 1g.5gb on A100-PCIE-40GB · GPU 0, instance 10');
    screen.getByRole('button', { name: 'Copy the UUID MIG-2' });
    expect(container.textContent).not.toContain('Memory');
    expect(container.textContent).not.toContain('What holds the memory');
    model.dispose();
  });

  it('tells a chart anew only to who moves in it', async () => {
    const { model, source } = await show({});
    const chart = screen.getByRole('slider');
    const told = (): (string | null)[] =>
      ['aria-label', 'aria-valuenow', 'aria-valuetext'].map(name =>
        chart.getAttribute(name)
      );
    const next = async (seq: number, used: number): Promise<void> => {
      source.read.mockResolvedValue(
        answer({ seq, view: null, samples: [sample(seq, 2 * seq, used)] })
      );
      model.refresh();
      await settle();
    };
    fireEvent.focus(chart);
    const before = told();
    await next(3, 4 * GIB);
    expect(told()).toEqual(before);
    fireEvent.keyDown(chart, { key: 'End' });
    expect(told()[2]).toMatch(/^4.0 GiB at /);
    fireEvent.keyDown(chart, { key: 'Escape' });
    expect(told()[2]).toContain('4.0 GiB at last');
    fireEvent.blur(chart);
    await next(4, 2 * GIB);
    expect(told()[2]).toContain('2.0 GiB at last');
    model.dispose();
  });

  it('says why there is none, and what to do', async () => {
    const { container, model } = await show({
      present: false,
      devices: [],
      state: state({
        kind: 'no_device',
        severity: 'info',
        sentence: 'This server was started without a GPU.',
        next_step: 'Start one with a GPU.'
      })
    });
    expect(container.textContent).toContain('started without a GPU');
    expect(container.textContent).toContain('Start one with a GPU.');
    expect(container.textContent).not.toContain('What holds the memory');
    model.dispose();
  });

  it('names who holds the memory, and goes there', async () => {
    const widget = {
      id: 'console-widget',
      sessionContext: { session: { kernel: { id: 'k2' } } }
    };
    const { model, opened } = await show(held(TRAIN, OTHER, TERMINAL), [
      widget
    ]);
    expect(rows()).toEqual([
      'train.ipynb: 2.9 GiB',
      'Console 1: 0.5 GiB',
      'Terminal 2, python: size not reported',
      'driver and other: 0.1 GiB'
    ]);
    screen.getByText('The driver gives no sizes.');
    for (const name of ['train.ipynb', 'Console 1', 'Terminal 2, python']) {
      fireEvent.click(screen.getByRole('button', { name: `Open ${name}` }));
    }
    expect(opened).toEqual([
      ['docmanager:open', { path: 'work/train.ipynb' }],
      'console-widget',
      ['terminal:open', { name: '2' }]
    ]);
    expect(screen.queryByRole('button', { name: /memory of Term/ })).toBeNull();
    model.dispose();
  });

  it('keeps the rows in place under the pointer', async () => {
    const { container, model, read } = await show(held(TRAIN, OTHER));
    const list = container.querySelector('.jp-mlinfn-Holders') as HTMLElement;
    fireEvent.pointerEnter(list);
    await read(held({ ...OTHER, memory: 3 * GIB }));
    expect(rows().slice(0, 2)).toEqual([
      'train.ipynb: ended',
      'Console 1: 3.0 GiB'
    ]);
    const buttons = within(list).getAllByRole<HTMLButtonElement>('button', {
      name: /train.ipynb/
    });
    expect(buttons.every(({ disabled }) => disabled)).toBe(true);
    fireEvent.pointerLeave(list);
    expect(rows()[0]).toBe('Console 1: 3.0 GiB');
    model.dispose();
  });

  it('asks before it frees, names what is lost, and says what came back', async () => {
    const { model, source } = await show(held(TRAIN, OTHER));
    source.release.mockResolvedValue({
      shut: ['k1'],
      failed: [],
      freed_bytes: 2.9 * GIB,
      freed_note: ''
    });
    const free = screen.getByRole('button', {
      name: 'Free the memory of train.ipynb: shut down its kernel'
    });
    fireEvent.click(free);
    await settle();
    const dialog = document.querySelector('.jp-Dialog') as HTMLElement;
    expect(dialog.textContent).toContain(
      'Shut down the kernel of train.ipynb?'
    );
    expect(dialog.textContent).toContain('All its variables are lost.');
    expect(dialog.textContent).toContain('It holds 2.9 GiB of GPU memory.');
    expect(dialog.textContent).toContain('It is computing now');
    expect(source.release).not.toHaveBeenCalled();
    fireEvent.click(
      within(dialog).getByRole('button', { name: 'Shut Down', hidden: true })
    );
    await settle();
    expect(source.release).toHaveBeenCalledWith(['k1']);
    expect(Notification.manager.notifications.map(n => n.message)).toEqual([
      '2.9 GiB of GPU memory came back. Shut down: train.ipynb.'
    ]);
    model.dispose();
  });

  it('shuts nothing down that was not chosen', async () => {
    const { model, release, source } = await show(held(TRAIN, OTHER, TERMINAL));
    source.release.mockResolvedValue({
      shut: [],
      failed: [{ kernel_id: 'k2', reason: 'It does not answer.' }],
      freed_bytes: 0,
      freed_note: ''
    });
    const asked = release.askForAll();
    await settle();
    const dialog = document.querySelector('.jp-Dialog') as HTMLElement;
    const boxes = within(dialog).getAllByRole<HTMLInputElement>('checkbox', {
      hidden: true
    });
    expect(boxes.map(({ checked }) => checked)).toEqual([false, false]);
    const accept = within(dialog).getByRole<HTMLButtonElement>('button', {
      name: 'Shut Down Chosen',
      hidden: true
    });
    expect(accept.disabled).toBe(true);
    fireEvent.click(boxes[1]);
    expect(accept.disabled).toBe(false);
    fireEvent.click(accept);
    await settle();
    await asked;
    expect(source.release).toHaveBeenCalledWith(['k2']);
    expect(Notification.manager.notifications.map(n => n.message)).toEqual([
      'Console 1 was not shut down. It does not answer.'
    ]);
    // Given up, nothing happens.
    const again = release.askForAll();
    await settle();
    const cancel = document.querySelector<HTMLElement>(
      '.jp-Dialog .jp-mod-reject'
    );
    await act(async () => cancel?.click());
    await again;
    expect(source.release).toHaveBeenCalledTimes(1);
    model.dispose();
  });
});
