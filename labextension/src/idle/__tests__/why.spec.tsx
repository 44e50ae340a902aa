import { nullTranslator } from '@jupyterlab/translation';
import { render, screen } from '@testing-library/react';
import React from 'react';

import { DesktopNotices } from '../desktop';
import { Status } from '../status';
import { WhyBody } from '../why';
import { answer, at, deadline, setUp, unreachable, warned } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');
const desktop = new DesktopNotices('test', () => true);

describe('why', () => {
  it('lists what counts and what stops, with times, sources and certainty', async () => {
    const { model } = setUp({
      ...warned(),
      signals: [
        {
          source: 'kernels',
          time: at(-600),
          detail: 'train.ipynb finished a cell.',
          counts: true
        },
        { source: 'terminals', time: null, detail: '', counts: false }
      ],
      deadlines: [
        deadline({ time: at(1800) }),
        deadline({
          source: 'hub_maximum_age',
          time: at(9000),
          certainty: 'estimate',
          extendable: false,
          detail: 'JupyterHub stops every server 8 h after its start.'
        })
      ],
      kept_until: at(900),
      mail: { configured: true, sent: at(-60) }
    });
    await model.refresh();
    render(<WhyBody model={model} desktop={desktop} trans={trans} />);
    const rows = screen.getAllByRole('row').map(row => row.textContent);
    expect(rows[0]).toMatch(/^Cells that run.*, 10 minutes agotrain.ipynb/);
    expect(rows[1]).toBe(
      'Typing in a terminalneverDoes not count on this platform.'
    );
    expect(rows[2]).toContain('Not used for too long');
    expect(rows[2]).toContain('Use moves it.');
    expect(rows[3]).toContain('about');
    expect(rows[3]).toContain('Use does not move it.');
    const text = document.body.textContent;
    expect(text).toContain('Somebody asked to keep it until');
    expect(text).toContain('A message was sent to you at');
    expect(text).toContain(
      'Open pages tell it 30 minutes, 10 minutes, 2 minutes before.'
    );
    model.dispose();
  });

  it('says plainly that nothing stops the server', async () => {
    const { model } = setUp(answer({ next: null }));
    await model.refresh();
    const { container } = render(
      <WhyBody model={model} desktop={desktop} trans={trans} />
    );
    expect(container.textContent).toContain(
      'Nothing stops this server by itself.'
    );
    model.dispose();
  });
});

describe('the status bar item', () => {
  const textOf = async (first: ReturnType<typeof answer>): Promise<string> => {
    const { model } = setUp(first);
    await model.refresh();
    const { container, unmount } = render(
      <Status model={model} open={jest.fn()} trans={trans} />
    );
    const text = container.textContent ?? '';
    unmount();
    model.dispose();
    return text;
  };

  it('is there only when there is something to say', async () => {
    expect(await textOf(answer())).toBe('');
    expect(await textOf(warned())).toMatch(/^stops at .* unless used$/);
    expect(await textOf(warned({ extendable: false }))).toMatch(
      /^stops at [^u]*$/
    );
    expect(await textOf(answer({ phase: 'saving' }))).toBe(
      'saving, then it stops'
    );
  });

  it('leaves it to the room of the session once the server is gone', async () => {
    const { model, tell } = setUp(answer({ phase: 'stopping' }));
    await model.refresh();
    await tell(unreachable());
    const { container } = render(
      <Status model={model} open={jest.fn()} trans={trans} />
    );
    expect(container.textContent).toBe('');
    model.dispose();
  });
});
