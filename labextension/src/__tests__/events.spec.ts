import { ServiceManager } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import { ServerEvents } from '../events';

const JOBS = 'https://events.jupyter.org/jupyter_mlinfn/jobs/v1';
const ENVS = 'https://events.jupyter.org/jupyter_mlinfn/envs/v1';
const GPU = 'https://events.jupyter.org/jupyter_mlinfn/gpu/v1';
const IDLE = 'https://events.jupyter.org/jupyter_mlinfn/idle/v1';
const STORAGE = 'https://events.jupyter.org/jupyter_mlinfn/storage/v1';
const SESSION = 'https://events.jupyter.org/jupyter_mlinfn/session/v1';
const ALL = [
  'jobs undefined',
  'envs undefined',
  'gpu undefined',
  'idle undefined',
  'storage undefined',
  'session undefined'
];

function setUp(probe: () => Promise<unknown> = () => Promise.resolve()) {
  const source = {};
  const stream = new Signal<any, any>(source);
  const connectionFailure = new Signal<any, Error>(source);
  const services = {
    events: { stream },
    connectionFailure
  } as unknown as ServiceManager.IManager;
  const events = new ServerEvents(services, probe);
  const seen: string[] = [];
  events.jobsChanged.connect((_, args) => seen.push(`jobs ${args}`));
  events.envsChanged.connect((_, args) => seen.push(`envs ${args}`));
  events.gpuChanged.connect((_, args) => seen.push(`gpu ${args}`));
  events.idleChanged.connect((_, args) => seen.push(`idle ${args}`));
  events.storageChanged.connect((_, args) => seen.push(`storage ${args}`));
  events.sessionChanged.connect((_, args) => seen.push(`session ${args}`));
  return { connectionFailure, events, seen, stream };
}

describe('ServerEvents', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('says what to read again, and hands on nothing of the event', () => {
    const { events, seen, stream } = setUp();
    stream.emit({ schema_id: JOBS, state: 'forged by anybody' });
    stream.emit({ schema_id: ENVS });
    stream.emit({ schema_id: GPU });
    stream.emit({ schema_id: IDLE, phase: 'stopping', stops_at: 'now' });
    stream.emit({ schema_id: STORAGE });
    stream.emit({ schema_id: SESSION, phase: 'stopping' });
    stream.emit({ schema_id: 'https://events.jupyter.org/other/v1' });
    expect(seen).toEqual(ALL);
    events.dispose();
  });

  it('reads all again once the server answers after a lost connection', async () => {
    let answers = false;
    const probe = jest.fn(() =>
      answers ? Promise.resolve() : Promise.reject(new Error('down'))
    );
    const { connectionFailure, events, seen } = setUp(probe);
    connectionFailure.emit(new Error('down'));
    connectionFailure.emit(new Error('down'));
    await jest.advanceTimersByTimeAsync(1000);
    expect(probe).toHaveBeenCalledTimes(1);
    expect(seen).toEqual([]);
    answers = true;
    await jest.advanceTimersByTimeAsync(2000);
    expect(probe).toHaveBeenCalledTimes(2);
    expect(seen).toEqual(ALL);
    // Once more when the events' own socket must be back.
    await jest.advanceTimersByTimeAsync(32000);
    expect(seen.length).toBe(2 * ALL.length);
    await jest.advanceTimersByTimeAsync(120000);
    expect(seen.length).toBe(2 * ALL.length);
    expect(probe).toHaveBeenCalledTimes(2);
    events.dispose();
  });

  it('reads all again when the page becomes visible', () => {
    const { events, seen } = setUp();
    document.dispatchEvent(new Event('visibilitychange'));
    expect(seen.length).toBe(ALL.length);
    events.dispose();
    document.dispatchEvent(new Event('visibilitychange'));
    expect(seen.length).toBe(ALL.length);
  });
});
