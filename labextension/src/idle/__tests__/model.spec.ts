import { MlinfnError } from '../../api';
import { answer, at, deadline, setUp, unreachable, warned } from './fakes';

const MINUTE = 60000;
const tick = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

describe('IdleModel', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('asks nothing while the end is far, and by itself when a warning is due', async () => {
    const { model, source } = setUp();
    await model.refresh();
    await tick(89 * MINUTE);
    expect(source.read).toHaveBeenCalledTimes(1);
    await tick(2 * MINUTE);
    expect(source.read).toHaveBeenCalledTimes(2);
    model.dispose();
  });

  it('asks nothing ever again where nothing stops the server', async () => {
    const { model, source } = setUp(answer({ phase: 'unlimited', next: null }));
    await model.refresh();
    await tick(72 * 60 * MINUTE);
    expect(source.read).toHaveBeenCalledTimes(1);
    model.dispose();
  });

  it('looks at an end that is months away no sooner', async () => {
    const far = deadline({ time: at(60 * 24 * 3600) });
    const { model, source } = setUp(answer({ next: far }));
    await model.refresh();
    await tick(59 * 24 * 60 * MINUTE);
    expect(source.read).toHaveBeenCalledTimes(1);
    await tick(24 * 60 * MINUTE);
    expect(source.read.mock.calls.length).toBeGreaterThan(1);
    model.dispose();
  });

  it('reckons by the clock of the server, whatever that of this computer says', async () => {
    jest.setSystemTime(Date.parse('2031-01-01T00:00:00Z'));
    const { model } = setUp(warned());
    await model.refresh();
    expect(model.secondsUntil(at(1800))).toBe(1800);
    await tick(10000);
    expect(model.secondsUntil(at(1800))).toBe(1790);
    jest.setSystemTime(Date.parse('1999-01-01T00:00:00Z'));
    expect(model.secondsUntil(at(1800))).toBe(1790);
    expect(model.secondsUntil(at(-5))).toBe(0);
    model.dispose();
  });

  it('never promises more time than there is, however slow the answer', async () => {
    const { model, source } = setUp();
    source.read.mockImplementationOnce(async () => {
      await tick(5000);
      return warned();
    });
    await model.refresh();
    expect(model.secondsUntil(at(1800))).toBe(1795);
    model.dispose();
  });

  it('does not let an answer to an earlier question replace that to a later one', async () => {
    const { model, source } = setUp(warned());
    let late: (value: ReturnType<typeof answer>) => void = () => undefined;
    source.read.mockImplementationOnce(
      () => new Promise(resolve => (late = resolve))
    );
    const reading = model.refresh();
    await tick(10);
    source.keepAlive.mockResolvedValueOnce(answer());
    await model.keepAlive();
    late(warned());
    await reading;
    expect(model.warning).toBe(null);
    model.dispose();
  });

  it('looks again and again only while it stops, or should', async () => {
    const { model, source, tell } = setUp(warned({ stops_at: at(60) }));
    await model.refresh();
    await tick(59000);
    expect(source.read).toHaveBeenCalledTimes(1);
    await tick(3000);
    expect(source.read).toHaveBeenCalledTimes(2);
    await tell(answer({ phase: 'stopping' }));
    const { length } = source.read.mock.calls;
    await tick(10000);
    expect(source.read.mock.calls.length).toBe(length + 5);
    model.dispose();
  });

  it('says that it was stopped only where the server had said so', async () => {
    const { model, tell } = setUp(warned());
    await model.refresh();
    await tell(unreachable());
    expect(model.end).toBe(null);
    expect(model.warning?.id).toBe('one');
    await tell(answer({ phase: 'stopping' }));
    await tell(
      new MlinfnError({ message: 'no longer running', reason: null }, 424)
    );
    expect(model.end).toMatchObject({ begun: true, asked: false });
    model.dispose();
  });

  it('does not wait for ever for a server that ends and answers no more', async () => {
    const { model, source } = setUp(answer({ phase: 'stopping' }));
    await model.refresh();
    source.read.mockImplementation(
      signal =>
        new Promise((_, reject) =>
          signal?.addEventListener('abort', () =>
            reject(new DOMException('superseded', 'AbortError'))
          )
        )
    );
    await tick(6000);
    expect(model.end).toBe(null);
    await tick(2000);
    expect(model.end?.begun).toBe(true);
    model.dispose();
  });

  it('says after a sleep that the end had come when the server was found gone', async () => {
    const { model, tell } = setUp();
    await model.refresh();
    // The clock of durations stood still.
    jest.setSystemTime(Date.now() + 3 * 3600 * 1000);
    await tell(unreachable());
    expect(model.end).toMatchObject({ begun: false, at: Date.parse(at(7200)) });
    // It was only the network.
    await tell(answer());
    expect(model.end).toBe(null);
    model.dispose();
  });

  it('reads once when it notices a sleep', async () => {
    const { model, source } = setUp(warned());
    await model.refresh();
    model.noticeSleep();
    expect(source.read).toHaveBeenCalledTimes(1);
    jest.setSystemTime(Date.now() + 3600 * 1000);
    model.noticeSleep();
    model.noticeSleep();
    await tick(0);
    expect(source.read).toHaveBeenCalledTimes(2);
    model.noticeSleep();
    expect(source.read).toHaveBeenCalledTimes(2);
    model.dispose();
  });

  it('takes no refusal for an end', async () => {
    const { model, tell } = setUp(answer({ phase: 'saving', save_by: at(20) }));
    await model.refresh();
    await tell(new MlinfnError({ message: 'Forbidden', reason: null }, 403));
    expect(model.end).toBe(null);
    model.dispose();
  });

  it('knows that somebody asked for the stop here', async () => {
    const { model, source, tell } = setUp(warned());
    await model.refresh();
    source.stop.mockResolvedValueOnce(answer({ phase: 'saving' }));
    await model.stop();
    expect(model.wasAsked).toBe(true);
    await tell(answer({ phase: 'stopping' }));
    await tell(unreachable());
    expect(model.end?.asked).toBe(true);
    await tell(answer());
    expect(model.wasAsked).toBe(false);
    model.dispose();
  });
});
