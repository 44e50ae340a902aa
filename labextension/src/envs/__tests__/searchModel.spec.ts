import { IPackageHit } from '../api';
import { SEARCH_DELAY, SearchModel } from '../searchModel';

const hit = (name: string): IPackageHit => ({
  name,
  version: '1',
  summary: '',
  channel: 'c'
});

describe('SearchModel', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('searches once after the last key, for what was typed last', async () => {
    const asked: string[] = [];
    const model = new SearchModel(q => {
      asked.push(q);
      return Promise.resolve([hit(q)]);
    });
    model.type('n');
    model.type('nu');
    await jest.advanceTimersByTimeAsync(SEARCH_DELAY);
    expect(asked).toEqual(['nu']);
    expect(model.hits.map(({ name }) => name)).toEqual(['nu']);
    model.dispose();
  });

  it('never shows the answer to an older text', async () => {
    const answers: ((hits: IPackageHit[]) => void)[] = [];
    const model = new SearchModel(
      () => new Promise(resolve => answers.push(resolve))
    );
    model.type('nu');
    await jest.advanceTimersByTimeAsync(SEARCH_DELAY);
    model.type('num');
    await jest.advanceTimersByTimeAsync(SEARCH_DELAY);
    answers[1]([hit('numpy')]);
    answers[0]([hit('nunavut')]);
    await jest.advanceTimersByTimeAsync(1);
    expect(model.hits.map(({ name }) => name)).toEqual(['numpy']);
    model.dispose();
  });

  it('has nothing to complete in a version', async () => {
    const search = jest.fn(() => Promise.resolve([hit('numpy')]));
    const model = new SearchModel(search);
    model.type('numpy <2');
    await jest.advanceTimersByTimeAsync(SEARCH_DELAY);
    expect(search).not.toHaveBeenCalled();
    model.dispose();
  });

  it('says why it cannot search', async () => {
    const model = new SearchModel(() =>
      Promise.reject(new Error('no channel'))
    );
    model.type('numpy');
    await jest.advanceTimersByTimeAsync(SEARCH_DELAY);
    expect(model.error?.message).toBe('no channel');
    model.dispose();
  });
});
