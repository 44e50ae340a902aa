import { MlinfnError } from '../../api';
import { ChangeModel } from '../changeModel';
import { IChangePlan, Intent } from '../changesApi';
import { ICudaMark } from '../cudaApi';
import { changePlan, NO_FILES } from './fakes';

const INSTALL: Intent = { action: 'install', specs: [], manager: 'conda' };

/**
 * Answers as it is told to, and remembers what it was asked.
 */
class Previewer {
  asked: Intent[] = [];
  answers: (IChangePlan | MlinfnError)[] = [];

  async preview(intent: Intent): Promise<IChangePlan> {
    this.asked.push(intent);
    const answer = this.answers.shift() ?? changePlan();
    if (answer instanceof MlinfnError) {
      throw answer;
    }
    return answer;
  }
}

function failure(status: number, kind = ''): MlinfnError {
  return new MlinfnError(
    { kind, message: `status ${status}`, reason: null },
    status
  );
}

describe('ChangeModel', () => {
  let server: Previewer;

  beforeEach(() => {
    jest.useFakeTimers();
    server = new Previewer();
  });

  afterEach(() => jest.useRealTimers());

  it('asks for nothing before a package is named', async () => {
    const model = new ChangeModel(server, INSTALL);
    model.ask(0);
    await jest.runAllTimersAsync();
    expect(server.asked).toEqual([]);
    expect(model.canSubmit).toBe(false);
  });

  it('knows of each package which build would come', async () => {
    const mark: ICudaMark = {
      name: 'pytorch',
      build: 'cpu',
      cuda: '12.6',
      needs: '12.0',
      version: null
    };
    server.answers.push(changePlan({ cuda_builds: [mark] }));
    const model = new ChangeModel(server, INSTALL);
    model.addSpecs('pytorch >=2');
    expect(model.markOf('pytorch >=2')).toBeUndefined();
    await jest.runAllTimersAsync();
    expect(model.markOf('pytorch >=2')).toEqual(mark);
    expect(model.markOf('numpy')).toBeUndefined();
  });

  it('asks once, 300 ms after the last change', async () => {
    const model = new ChangeModel(server, INSTALL);
    model.addSpecs('numpy');
    await jest.advanceTimersByTimeAsync(200);
    model.addSpecs('scipy');
    await jest.advanceTimersByTimeAsync(299);
    expect(server.asked).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(server.asked).toEqual([{ ...INSTALL, specs: ['numpy', 'scipy'] }]);
    expect(model.canSubmit).toBe(true);
  });

  it('submits nothing that was not shown', async () => {
    const model = new ChangeModel(server, INSTALL);
    model.addSpecs('numpy');
    await jest.runAllTimersAsync();
    expect(model.canSubmit).toBe(true);
    model.manager = 'pip';
    expect(model.plan).not.toBeNull();
    expect(model.canSubmit).toBe(false);
    await jest.runAllTimersAsync();
    expect(server.asked[1]).toMatchObject({ manager: 'pip' });
  });

  it('submits neither what does not fit nor what changes nothing', async () => {
    server.answers = [
      changePlan({ fits: false }),
      changePlan({ packages: [], files: NO_FILES })
    ];
    const model = new ChangeModel(server, { action: 'rollback', revision: 2 });
    model.ask(0);
    await jest.runAllTimersAsync();
    expect(model.canSubmit).toBe(false);
    model.ask(0);
    await jest.runAllTimersAsync();
    expect(model.isEmpty).toBe(true);
    expect(model.canSubmit).toBe(false);
  });

  it('shows the diff again, with why, when the environment is another by now', async () => {
    const model = new ChangeModel(server, { ...INSTALL, specs: ['numpy'] });
    model.ask(0);
    await jest.runAllTimersAsync();
    server.answers = [changePlan({ revision: 4 })];
    model.refuse(failure(409));
    expect(model.canSubmit).toBe(false);
    await jest.runAllTimersAsync();
    expect(model.plan?.revision).toBe(4);
    expect(model.note).toBe('status 409');
    expect(model.isOutdated).toBe(true);
    expect(model.refusal).toBeNull();
    expect(model.canSubmit).toBe(true);
    model.addSpecs('scipy');
    expect(model.isOutdated).toBe(false);
    expect(model.note).toBe('');
  });

  it('does not call the diff another where something else is only at work', async () => {
    const model = new ChangeModel(server, { ...INSTALL, specs: ['numpy'] });
    model.ask(0);
    await jest.runAllTimersAsync();
    model.refuse(failure(409));
    await jest.runAllTimersAsync();
    expect(model.note).toBe('status 409');
    expect(model.isOutdated).toBe(false);
    expect(model.canSubmit).toBe(true);
  });

  it('keeps another refusal until something is changed', async () => {
    const model = new ChangeModel(server, { ...INSTALL, specs: ['numpy'] });
    model.ask(0);
    await jest.runAllTimersAsync();
    model.refuse(failure(507));
    expect(model.refusal?.status).toBe(507);
    expect(model.canSubmit).toBe(false);
    model.addSpecs('scipy');
    expect(model.refusal).toBeNull();
  });

  it('asks again by itself where another form displaced its question', async () => {
    server.answers = [failure(409, 'Superseded')];
    const model = new ChangeModel(server, { ...INSTALL, specs: ['numpy'] });
    model.ask(0);
    await jest.runAllTimersAsync();
    expect(server.asked).toHaveLength(2);
    expect(model.preview.state).toBe('known');
  });
});
