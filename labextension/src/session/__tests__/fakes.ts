import { IServerEnd } from '../../idle/tokens';
import {
  answer as idleAnswer,
  setUp as setUpIdle
} from '../../idle/__tests__/fakes';
import { IEphemeral, ISessionAnswer, IStopped, IStorage } from '../api';
import { SessionModel } from '../model';

export const START = Date.parse('2026-11-24T14:00:00Z');

/**
 * @param seconds after the start
 */
export const at = (seconds: number): string =>
  new Date(START + seconds * 1000).toISOString();

export const GPU = {
  name: 'MIG 1g.5gb',
  memory_used: 3.1 * 1024 ** 3,
  memory_total: 4.8 * 1024 ** 3
};

export function answer(change: Partial<ISessionAnswer> = {}): ISessionAnswer {
  return {
    now: at(0),
    server: {
      name: '',
      under_hub: false,
      through_hub: null,
      again: { url: null, command: 'jupyter lab' }
    },
    resources: { gpu: [GPU], cpus: 4, memory_bytes: 24e9 },
    pages: { known: 1, answered: 1, silent: 0, asking: false, unsaved: [] },
    running: [],
    holders: [],
    terminals: [],
    files: null,
    rescue: null,
    stop: stop(null, { since: null }),
    ...change
  };
}

export const stop = (
  phase: ISessionAnswer['stop']['phase'],
  change: Partial<ISessionAnswer['stop']> = {}
): ISessionAnswer['stop'] => ({
  phase,
  waits_for: [],
  since: at(0),
  job: null,
  problem: null,
  ...change
});

export function files(change: Partial<IEphemeral> = {}): IEphemeral {
  return {
    state: 'known',
    reason: '',
    counted: at(0),
    files: 3,
    bytes: 1.2e9,
    biggest: [
      { path: '/root/a/model.pt', size: 1.1e9 },
      { path: '/root/notes.txt', size: 2000 }
    ],
    more: 1,
    ...change
  };
}

export const RESCUE = {
  possible: true,
  reason: '',
  folder: 'private/rescued',
  limit_bytes: 1e9
};

const volume = (
  name: string,
  persistence: 'lasts' | 'ephemeral' = 'lasts'
) => ({
  name,
  path: `/home/ada/${name}`,
  root_path: name,
  persistence,
  free_bytes: 8e9
});

export const STORAGE: IStorage = {
  volumes: [
    { ...volume('/', 'ephemeral'), path: '/', root_path: '', free_bytes: 1 },
    volume('private'),
    volume('shared'),
    volume('shared/cms'),
    { ...volume('/envs'), path: '/envs', root_path: null }
  ],
  private: { path: '/home/ada/private' }
};

export function stopped(change: Partial<IStopped> = {}): IStopped {
  return {
    time: at(-13 * 3600),
    why: 'idle',
    sentence: 'Nothing had happened for 3 hours.',
    freed: { gpu: ['MIG 1g.5gb'], seconds_free: 46800, slice_hours: 13 },
    rescue: {
      folder: '/home/ada/private/rescued/2026-11-24',
      root_path: 'private/rescued/2026-11-24',
      files: 3,
      bytes: 1.2e9,
      left: [],
      left_count: 0,
      left_bytes: 0,
      changed: [],
      problem: null
    },
    open: ['here.ipynb', 'gone.ipynb'],
    saved: ['here.ipynb'],
    failed: [],
    silent: 0,
    lost: null,
    ...change
  };
}

/**
 * A model whose calls are answered with what is told.
 */
export function setUp(first: ISessionAnswer | Error = answer()) {
  const told: { answer: ISessionAnswer | Error } = { answer: first };
  const say = (): Promise<ISessionAnswer> =>
    told.answer instanceof Error
      ? Promise.reject(told.answer)
      : Promise.resolve(told.answer);
  const source = {
    read: jest.fn(say),
    survey: jest.fn(say),
    stop: jest.fn((when: 'now' | 'finished', keep: boolean) => say()),
    callOff: jest.fn(say),
    storage: jest.fn(() => Promise.resolve(STORAGE))
  };
  const model = new SessionModel(source);
  const tell = async (next: ISessionAnswer | Error): Promise<void> => {
    told.answer = next;
    await model.refresh();
  };
  return { model, source, tell, told };
}

/**
 * This page's documents.
 */
export function page(unsaved: string[] = []) {
  return {
    list: jest.fn(() => ({ open: unsaved, unsaved })),
    saveAll: jest.fn(async (timeout: number) => ({
      documents: unsaved,
      failed: [] as { path: string; reason: string }[]
    })),
    disregard: jest.fn()
  };
}

/**
 * What the idle room tells of the end.
 */
export function serverEnd(unsaved: string[] = []) {
  const idle = setUpIdle(idleAnswer());
  const end: IServerEnd = {
    model: idle.model,
    saved: null,
    documents: page(unsaved)
  };
  return { ...idle, end };
}
