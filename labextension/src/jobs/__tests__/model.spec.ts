import { MlinfnError } from '../../api';
import { IJob } from '../api';
import { IJobTransition, JobsModel } from '../model';
import { job } from './fakes';

function setUp(first: IJob[] = []) {
  const told = { jobs: first };
  const source = {
    list: jest.fn(() => Promise.resolve(told.jobs)),
    remove: jest.fn(() => Promise.resolve()),
    clear: jest.fn(() => Promise.resolve()),
    resume: jest.fn((id: string) => Promise.resolve(job({ id })))
  };
  const model = new JobsModel(source);
  const transitions: string[] = [];
  model.transitioned.connect((_, { job, from }: IJobTransition) =>
    transitions.push(`${job.id}: ${from} → ${job.state}`)
  );
  return { model, source, told, transitions };
}

describe('JobsModel', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('reads a storm of events with two requests', async () => {
    const { model, source } = setUp([job()]);
    const reads = Array.from({ length: 30 }, () => model.refresh());
    await Promise.all(reads);
    expect(source.list).toHaveBeenCalledTimes(2);
    model.dispose();
  });

  it('tells each change of state once', async () => {
    const { model, told, transitions } = setUp([job()]);
    await model.refresh();
    await model.refresh();
    told.jobs = [job({ state: 'done' }), job({ id: 'j2', state: 'failed' })];
    await model.refresh();
    expect(transitions).toEqual([
      'j1: null → running',
      'j1: running → done',
      'j2: null → failed'
    ]);
    model.dispose();
  });

  it('does not poll when nothing runs', async () => {
    const { model, source } = setUp([job({ state: 'done' })]);
    await model.refresh();
    await jest.advanceTimersByTimeAsync(60000);
    expect(source.list).toHaveBeenCalledTimes(1);
    model.dispose();
  });

  it('reads now and then while a job runs, and stops with it', async () => {
    const { model, source, told } = setUp([job()]);
    await model.refresh();
    await jest.advanceTimersByTimeAsync(16000);
    const reads = source.list.mock.calls.length;
    expect(reads).toBeGreaterThanOrEqual(3);
    expect(reads).toBeLessThanOrEqual(5);
    told.jobs = [job({ state: 'done' })];
    await model.refresh();
    await jest.advanceTimersByTimeAsync(60000);
    expect(source.list).toHaveBeenCalledTimes(reads + 1);
    model.dispose();
  });

  it('keeps what it knows while the server does not answer', async () => {
    const { model, source } = setUp([job()]);
    await model.refresh();
    source.list.mockRejectedValueOnce(new Error('gone'));
    await model.refresh();
    expect(model.error?.isNetwork).toBe(true);
    expect(model.jobs.length).toBe(1);
    await model.refresh();
    expect(model.error).toBeNull();
    model.dispose();
  });

  it('shows at once that a job is being cancelled', async () => {
    const { model, told } = setUp([job()]);
    await model.refresh();
    told.jobs = [job({ state: 'cancelled' })];
    const states: string[] = [];
    model.changed.connect(() => states.push(model.jobs[0].state));
    await model.remove('j1');
    expect(states).toEqual(['cancelling', 'cancelled']);
    model.dispose();
  });

  it('takes it as removed what another tab has removed', async () => {
    const { model, source, told } = setUp([job({ state: 'failed' })]);
    await model.refresh();
    source.remove.mockRejectedValueOnce(
      new MlinfnError({ message: 'There is no such job.', reason: null }, 404)
    );
    told.jobs = [];
    await model.remove('j1');
    expect(model.jobs).toEqual([]);
    model.dispose();
  });

  it('hands on why a job cannot be resumed', async () => {
    const { model, source } = setUp([job({ state: 'interrupted' })]);
    await model.refresh();
    source.resume.mockRejectedValueOnce(
      new MlinfnError({ message: 'It runs elsewhere.', reason: null }, 409)
    );
    await expect(model.resume('j1')).rejects.toThrow('It runs elsewhere.');
    expect(model.get('j1')?.state).toBe('interrupted');
    model.dispose();
  });
});
