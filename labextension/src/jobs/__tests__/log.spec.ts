import { LogModel, MAX_LINES } from '../log';

const line = (text: string) => ({ time: '2026-11-23T20:00:00Z', text });

describe('LogModel', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('reads on from where it was while the job runs, then to the end', async () => {
    const written = ['one', 'two'];
    const offsets: number[] = [];
    const model = new LogModel(offset => {
      offsets.push(offset);
      return Promise.resolve({
        lines: written.slice(offset).map(line),
        next: written.length
      });
    });
    model.follow(true);
    await jest.advanceTimersByTimeAsync(10);
    written.push('three');
    await jest.advanceTimersByTimeAsync(1100);
    expect(model.lines.map(({ text }) => text)).toEqual(written);
    written.push('four');
    model.follow(false);
    await jest.advanceTimersByTimeAsync(10);
    expect(model.lines.map(({ text }) => text)).toEqual(written);
    const reads = offsets.length;
    await jest.advanceTimersByTimeAsync(10000);
    expect(offsets.length).toBe(reads);
    expect(
      offsets.filter((offset, at) => offset < (offsets[at - 1] ?? 0))
    ).toEqual([]);
    model.dispose();
  });

  it('keeps the newest lines of a long log', async () => {
    const model = new LogModel(() =>
      Promise.resolve({
        lines: Array.from({ length: MAX_LINES + 5 }, (_, at) =>
          line(String(at))
        ),
        next: MAX_LINES + 5
      })
    );
    model.follow(false);
    await jest.advanceTimersByTimeAsync(10);
    expect(model.lines.length).toBe(MAX_LINES);
    expect(model.lines[0].text).toBe('5');
    model.dispose();
  });
});
