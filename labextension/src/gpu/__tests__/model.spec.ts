import { PersonInput } from '../../attention';
import { Attention, IDLE_AFTER } from '../attention';
import {
  answer,
  device,
  GIB,
  sample,
  setUp,
  setVisible,
  state,
  view
} from './fakes';

const MINUTE = 60000;
const widget = {};

describe('GpuModel', () => {
  beforeEach(() => {
    jest.useFakeTimers();
    setVisible(true);
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  const tick = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);
  const touch = (): boolean => window.dispatchEvent(new Event('pointerdown'));

  it('reads once to know whether there is a GPU, then only for who is shown it', async () => {
    const { model, source } = setUp();
    await tick(MINUTE);
    expect(source.read.mock.calls).toEqual([[0, 0]]);
    model.setShown(widget, true);
    await tick(0);
    expect(source.read).toHaveBeenCalledTimes(2);
    await tick(10000);
    expect(source.read).toHaveBeenCalledTimes(7);
    model.setShown(widget, false);
    await tick(MINUTE);
    expect(source.read).toHaveBeenCalledTimes(7);
    model.dispose();
  });

  it('reads no more often for many widgets than for one', async () => {
    const { model, source } = setUp();
    await tick(0);
    [{}, {}, {}].forEach(one => model.setShown(one, true));
    await tick(10000);
    expect(source.read.mock.calls.length).toBeLessThanOrEqual(7);
    model.dispose();
  });

  it('asks again soon while the server has not found out what there is', async () => {
    const starting = view({ state: state({ kind: 'starting' }), devices: [] });
    const { model, source, told } = setUp(answer({ view: starting }));
    await tick(1000);
    expect(source.read.mock.calls.length).toBeGreaterThanOrEqual(3);
    told.answer = answer({ revision: 2 });
    await tick(1000);
    const reads = source.read.mock.calls.length;
    await tick(MINUTE);
    expect(source.read).toHaveBeenCalledTimes(reads);
    model.dispose();
  });

  it('makes no call while the page is hidden, and goes on at once', async () => {
    const { model, source } = setUp();
    model.setShown(widget, true);
    await tick(3000);
    const reads = source.read.mock.calls.length;
    setVisible(false);
    model.refresh();
    touch();
    await tick(MINUTE);
    expect(source.read).toHaveBeenCalledTimes(reads);
    expect(model.isCurrent).toBe(false);
    setVisible(true);
    // JupyterLab's page says "read again" then, too: that is the same read.
    model.refresh();
    await tick(0);
    expect(source.read).toHaveBeenCalledTimes(reads + 1);
    expect(model.isCurrent).toBe(true);
    model.dispose();
  });

  it('makes no call once nobody has touched the page for five minutes', async () => {
    const { model, source } = setUp();
    model.setShown(widget, true);
    await tick(4 * MINUTE);
    touch();
    await tick(4 * MINUTE);
    expect(model.isPaused).toBe(false);
    await tick(MINUTE);
    expect(model.isPaused).toBe(true);
    const reads = source.read.mock.calls.length;
    expect(reads).toBeGreaterThan(200);
    model.refresh();
    await tick(30 * MINUTE);
    expect(source.read).toHaveBeenCalledTimes(reads);
    touch();
    await tick(0);
    expect(source.read).toHaveBeenCalledTimes(reads + 1);
    expect(model.isPaused).toBe(false);
    model.dispose();
  });

  it('reads a change once where no widget is shown', async () => {
    const { model, source, told } = setUp(
      answer({ view: view({ present: false, devices: [] }) })
    );
    await tick(0);
    told.answer = answer({ revision: 2 });
    model.refresh();
    await tick(MINUTE);
    expect(source.read).toHaveBeenCalledTimes(2);
    expect(model.view?.present).toBe(true);
    model.dispose();
  });

  it('asks only for what is new, and keeps ten minutes', async () => {
    const { model, source, told } = setUp(
      answer({ seq: 2, samples: [sample(1, 0, GIB), sample(2, 2, 2 * GIB)] })
    );
    model.setShown(widget, true);
    await tick(0);
    told.answer = answer({
      seq: 4,
      view: null,
      samples: [sample(3, 300, 3 * GIB), sample(4, 601, 4 * GIB)]
    });
    await tick(2000);
    expect(source.read.mock.calls).toEqual([
      [0, 0],
      [2, 1]
    ]);
    expect(model.history.points('MIG-1').map(({ seq }) => seq)).toEqual([
      2, 3, 4
    ]);
    expect(model.history.points('MIG-2')).toEqual([]);
    model.dispose();
  });

  it('shows the newest sample where it is newer than the view', async () => {
    const { model, told } = setUp(
      answer({ seq: 1, samples: [sample(1, 0, GIB)] })
    );
    model.setShown(widget, true);
    await tick(0);
    expect(model.memoryOf('MIG-1').used).toBe(3.1 * GIB);
    told.answer = answer({
      seq: 2,
      view: null,
      samples: [sample(2, 2, 4 * GIB)]
    });
    await tick(2000);
    expect(model.memoryOf('MIG-1')).toEqual({
      used: 4 * GIB,
      free: 0.75 * GIB,
      total: 4.75 * GIB
    });
    // What the driver no longer tells is not what it told before.
    told.answer = answer({ seq: 3, view: null, samples: [sample(3, 4, null)] });
    await tick(2000);
    expect(model.memoryOf('MIG-1').used).toBeNull();
    expect(model.memoryOf('MIG-1').free).toBeNull();
    model.dispose();
  });

  it('starts anew with a server that counts from the beginning', async () => {
    const { model, source, told } = setUp(
      answer({ seq: 50, revision: 9, samples: [sample(50, 0, GIB)] })
    );
    model.setShown(widget, true);
    await tick(0);
    const fresh = device({ memory_used: 0 });
    source.read.mockResolvedValueOnce(
      answer({ seq: 3, revision: 1, view: null })
    );
    told.answer = answer({
      seq: 3,
      revision: 1,
      samples: [sample(3, 60, 0)],
      view: view({ devices: [fresh] })
    });
    await tick(2000);
    expect(source.read.mock.calls.slice(1)).toEqual([
      [50, 9],
      [0, 0]
    ]);
    expect(model.history.points('MIG-1').length).toBe(1);
    expect(model.memoryOf('MIG-1').used).toBe(0);
    model.dispose();
  });

  it('keeps what it knows while the server does not answer, and asks less and less', async () => {
    const { model, source } = setUp(
      answer({ seq: 5, samples: [sample(5, 0, GIB)] })
    );
    model.setShown(widget, true);
    await tick(0);
    source.read.mockRejectedValue(new Error('gone'));
    await tick(MINUTE);
    expect(model.error?.isNetwork).toBe(true);
    expect(model.isCurrent).toBe(false);
    expect(model.memoryOf('MIG-1').used).toBe(3.1 * GIB);
    expect(model.history.points('MIG-1').length).toBe(1);
    expect(source.read.mock.calls.length).toBeLessThan(15);
    // It may be another server that answers next.
    expect(source.read.mock.calls[2]).toEqual([0, 0]);
    source.read.mockResolvedValue(answer({ seq: 6 }));
    model.refresh();
    await tick(0);
    expect(model.error).toBeNull();
    expect(model.isCurrent).toBe(true);
    model.dispose();
  });

  it('reads again after a release, also where that failed', async () => {
    const { model, source } = setUp();
    await tick(0);
    source.release.mockRejectedValueOnce(new Error('no'));
    await expect(model.release(['k1'])).rejects.toThrow('no');
    await tick(0);
    expect(source.read).toHaveBeenCalledTimes(2);
    model.dispose();
  });

  it('tells nothing once it is disposed', async () => {
    const { model, source } = setUp();
    const seen = jest.fn();
    model.changed.connect(seen);
    model.setShown(widget, true);
    model.dispose();
    model.refresh();
    await tick(MINUTE);
    expect(source.read).not.toHaveBeenCalled();
    expect(seen).not.toHaveBeenCalled();
  });
});

describe('Attention', () => {
  beforeEach(() => {
    jest.useFakeTimers();
    setVisible(true);
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('is not held by what a script dispatches', () => {
    const attention = new Attention(new PersonInput());
    jest.advanceTimersByTime(IDLE_AFTER - 1);
    expect(attention.given).toBe(true);
    // Not trusted, as a page's script cannot make events that are.
    window.dispatchEvent(new Event('pointermove'));
    jest.advanceTimersByTime(1);
    expect(attention.given).toBe(false);
    attention.dispose();
  });

  it.each(['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'])(
    'is given by %s',
    name => {
      const attention = new Attention(new PersonInput(() => true));
      const changes: boolean[] = [];
      attention.changed.connect(({ given }) => changes.push(given));
      jest.advanceTimersByTime(IDLE_AFTER);
      document.body.dispatchEvent(new Event(name));
      expect(changes).toEqual([false, true]);
      attention.dispose();
      jest.advanceTimersByTime(IDLE_AFTER);
      expect(changes).toEqual([false, true]);
    }
  );
});
