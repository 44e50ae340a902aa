import { answer, setUp, stop, STORAGE } from './fakes';

const tick = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

describe('SessionModel', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('asks nothing by itself while nothing is stopped', async () => {
    const { model, source } = setUp();
    await model.refresh();
    await tick(3600000);
    expect(source.read).toHaveBeenCalledTimes(1);
    model.dispose();
  });

  it('looks now and then while a stop is under way, not while it waits', async () => {
    const { model, source, tell } = setUp(answer({ stop: stop('waiting') }));
    await model.refresh();
    await tick(60000);
    expect(source.read).toHaveBeenCalledTimes(1);
    await tell(answer({ stop: stop('rescuing') }));
    await tick(6500);
    expect(source.read).toHaveBeenCalledTimes(5);
    model.dispose();
    await tick(60000);
    expect(source.read).toHaveBeenCalledTimes(5);
  });

  it('knows whether it was asked for here', async () => {
    const { model, tell, told } = setUp();
    await model.refresh();
    told.answer = answer({ stop: stop('saving') });
    await model.stop('now', true);
    expect(model.wasAsked).toBe(true);
    await tell(answer({ stop: stop('stopping') }));
    expect(model.wasAsked).toBe(true);
    await tell(answer());
    expect(model.wasAsked).toBe(false);
    await tell(answer({ stop: stop('saving') }));
    expect(model.wasAsked).toBe(false);
    model.dispose();
  });

  it('keeps what it knew when the server is gone', async () => {
    const { model, tell } = setUp();
    await model.survey();
    await tell(new Error('Failed to fetch'));
    expect(model.error?.isNetwork).toBe(true);
    expect(model.answer?.resources.cpus).toBe(4);
    expect(model.storage).toBe(STORAGE);
    model.dispose();
  });

  it('does without the volumes where they cannot be read', async () => {
    const debug = jest.spyOn(console, 'debug').mockImplementation();
    const { model, source } = setUp();
    source.storage.mockRejectedValue(new Error('404'));
    await model.survey();
    expect(model.answer).not.toBe(null);
    expect(model.storage).toBe(null);
    expect(debug).toHaveBeenCalledTimes(1);
    debug.mockRestore();
    model.dispose();
  });
});
