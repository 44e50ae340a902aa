import { PersonInput } from '../../attention';
import { PageReporter, REPORT_EVERY } from '../reporter';
import { answer, at, setUp, setVisible, unreachable, warned } from './fakes';

const tick = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);
const touch = (): boolean => window.dispatchEvent(new Event('pointerdown'));

describe('PageReporter', () => {
  beforeEach(() => {
    jest.useFakeTimers();
    setVisible(true);
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  function begin(first = answer()) {
    const { model, source, tell, told } = setUp(first);
    const input = new PersonInput(() => true);
    const reporter = new PageReporter(source, input, model);
    const sent = () =>
      source.report.mock.calls.map(([{ page, ...report }]) => report);
    const end = (): void => {
      reporter.dispose();
      input.dispose();
      model.dispose();
    };
    return { end, model, reporter, sent, source, tell, told };
  }

  it('says once that it is there, and nothing while nobody touches it', async () => {
    const { end, sent, source } = begin();
    await tick(24 * 3600 * 1000);
    expect(sent()).toEqual([{ visible: true }]);
    expect(source.report.mock.calls[0][0].page).toMatch(/^[0-9a-f-]{36}$/);
    end();
  });

  it('reports input at most once a minute, and the last one too', async () => {
    const { end, sent } = begin();
    for (let i = 0; i < 100; i++) {
      touch();
      await tick(1000);
    }
    // At once, after one minute, after two with an age.
    expect(sent().length).toBe(1 + 2);
    await tick(REPORT_EVERY);
    expect(sent().length).toBe(1 + 3);
    expect(sent()[1]).toEqual({ input_seconds_ago: 0, visible: true });
    expect(sent()[3]).toEqual({ input_seconds_ago: 21, visible: true });
    await tick(10 * REPORT_EVERY);
    expect(sent().length).toBe(1 + 3);
    end();
  });

  it('reports sooner while a warning is shown, but lets it be read', async () => {
    const { end, model, sent } = begin(warned({ stops_at: at(1800) }));
    await model.refresh();
    touch();
    await tick(9900);
    expect(sent().length).toBe(1);
    await tick(200);
    expect(sent()[1]).toEqual({ input_seconds_ago: 10, visible: true });
    end();
  });

  it('reports in time where little is left', async () => {
    const { end, model, sent } = begin(warned({ stops_at: at(8) }));
    await model.refresh();
    touch();
    await tick(2000);
    expect(sent().length).toBe(2);
    end();
  });

  it('reports at once what it held back when the server saves before a stop', async () => {
    const { end, sent, tell } = begin();
    touch();
    await tick(1000);
    touch();
    await tick(0);
    expect(sent().length).toBe(2);
    await tell(answer({ phase: 'saving', save_by: at(20) }));
    await tick(0);
    expect(sent().length).toBe(3);
    end();
  });

  it('does not call off with a move of the pointer what was asked for here', async () => {
    const { end, model, sent, source } = begin();
    touch();
    await tick(1000);
    touch();
    source.stop.mockResolvedValueOnce(answer({ phase: 'saving' }));
    await model.stop();
    touch();
    await tick(1500);
    expect(sent().length).toBe(2);
    end();
  });

  it('tells once that a warning was shown', async () => {
    const { end, reporter, sent } = begin();
    reporter.shown('one');
    reporter.shown('one');
    reporter.shown('two');
    expect(sent().slice(1)).toEqual([
      { visible: true, shown: 'one' },
      { visible: true, shown: 'two' }
    ]);
    end();
  });

  it('tells when it stays hidden, not when somebody goes through their tabs', async () => {
    const { end, sent } = begin();
    setVisible(false);
    await tick(1000);
    setVisible(true);
    await tick(60000);
    expect(sent().length).toBe(1);
    setVisible(false);
    await tick(60000);
    expect(sent().slice(1)).toEqual([{ visible: false }]);
    end();
  });

  it('says when it closes', () => {
    const { end, sent } = begin();
    window.dispatchEvent(new Event('pagehide'));
    expect(sent()[1]).toEqual({ closing: true });
    end();
  });

  it('is there anew for a server that was away', async () => {
    const { end, sent, tell } = begin();
    await tell(answer());
    expect(sent().length).toBe(1);
    await tell(unreachable());
    await tell(answer());
    expect(sent().slice(1)).toEqual([{ visible: true }]);
    end();
  });

  it('is not broken by a server that refuses', async () => {
    const debug = jest.spyOn(console, 'debug').mockImplementation();
    const { end, reporter, sent, source } = begin();
    source.report.mockRejectedValueOnce(unreachable());
    reporter.shown('one');
    await tick(0);
    touch();
    await tick(0);
    expect(sent().length).toBe(3);
    expect(debug).toHaveBeenCalledTimes(1);
    debug.mockRestore();
    end();
  });
});
