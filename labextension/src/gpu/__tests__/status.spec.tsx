import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { act, fireEvent, render, screen } from '@testing-library/react';
import React from 'react';

import { GpuStatus, Status } from '../status';
import { answer, device, GIB, setUp, setVisible, state, view } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

describe('the status bar item', () => {
  beforeEach(() => {
    jest.useFakeTimers();
    setVisible(true);
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  async function shown(change: Parameters<typeof view>[0], open = jest.fn()) {
    const { model, told } = setUp(answer({ view: view(change) }));
    const { container } = render(
      <Status model={model} open={open} trans={trans} />
    );
    await act(() => jest.advanceTimersByTimeAsync(0));
    return { container, model, told };
  }

  it('tells slice and memory, and opens the panel', async () => {
    const open = jest.fn();
    const { container, model } = await shown({}, open);
    const button = screen.getByRole('button');
    expect(button.textContent).toBe('1g.5gb3.1/4.8 GiB');
    expect(button.title).toContain(
      'MIG 1g.5gb on A100-PCIE-40GB: 3.1 of 4.8 GiB of memory in use'
    );
    const bar = container.querySelector<HTMLElement>('[data-level] > span');
    expect(bar?.style.width).toBe('65.3%');
    fireEvent.click(button);
    expect(open).toHaveBeenCalledTimes(1);
    model.dispose();
  });

  it('is not there where there is no GPU', async () => {
    const { container, model } = await shown({ present: false, devices: [] });
    expect(container.textContent).toBe('');
    model.dispose();
  });

  it('tells a state that is not fine in words', async () => {
    const { container, model } = await shown({
      state: state({
        kind: 'lost',
        severity: 'error',
        sentence: 'The GPU fell off the bus.',
        next_step: 'Stop this server and start another.'
      })
    });
    expect(container.textContent).toBe('GPU: lost');
    expect(screen.getByRole('button').title).toContain(
      'Stop this server and start another.'
    );
    model.dispose();
  });

  it('says that it is simulated', async () => {
    const { container, model } = await shown({ simulated: true });
    expect(container.textContent).toContain('simulated');
    model.dispose();
  });

  it('shows of several devices the fullest, and never 0 for not reported', async () => {
    const devices = [
      device({ uuid: 'MIG-0', memory_used: GIB }),
      device(),
      device({ uuid: 'MIG-2', memory_used: null })
    ];
    const { container, model } = await shown({ devices });
    expect(container.textContent).toBe('1g.5gb3.1/4.8 GiB(+2 more)');
    model.dispose();
    const unknown = await shown({ devices: [devices[2]] });
    expect(unknown.container.textContent).toBe('1g.5gbmemory not reported');
    unknown.model.dispose();
  });

  it('has figures read while it is shown, and no longer', async () => {
    const { model, source } = setUp();
    const item = new GpuStatus(model, () => undefined, trans);
    await jest.advanceTimersByTimeAsync(10000);
    expect(source.read).toHaveBeenCalledTimes(1);
    item.hide();
    await act(async () => Widget.attach(item, document.body));
    await jest.advanceTimersByTimeAsync(10000);
    expect(source.read).toHaveBeenCalledTimes(1);
    await act(async () => item.show());
    await act(() => jest.advanceTimersByTimeAsync(4000));
    expect(source.read).toHaveBeenCalledTimes(4);
    item.hide();
    await jest.advanceTimersByTimeAsync(10000);
    expect(source.read).toHaveBeenCalledTimes(4);
    await act(async () => item.dispose());
    model.dispose();
  });
});
