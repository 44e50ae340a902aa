import { MlinfnError } from '../../api';
import { IIdleAnswer, IIdleDeadline, IIdleWarning, IPageReport } from '../api';
import { IdleModel } from '../model';

export { setVisible } from '../../gpu/__tests__/fakes';

export const START = Date.parse('2026-11-24T14:00:00Z');

/**
 * @param seconds after the start
 */
export const at = (seconds: number): string =>
  new Date(START + seconds * 1000).toISOString();

export function deadline(change: Partial<IIdleDeadline> = {}): IIdleDeadline {
  return {
    source: 'policy',
    time: at(7200),
    certainty: 'certain',
    action: 'stop_server',
    extendable: true,
    detail: 'This server stops itself when nothing has happened for 3 h.',
    ...change
  };
}

export function warning(change: Partial<IIdleWarning> = {}): IIdleWarning {
  return {
    id: 'one',
    level: 1,
    last: false,
    stops_at: at(1800),
    extendable: true,
    reason: 'Nothing has run since 11:28.',
    ...change
  };
}

export function answer(change: Partial<IIdleAnswer> = {}): IIdleAnswer {
  const start = {
    source: 'start' as const,
    time: at(-3600),
    detail: 'This server started.',
    counts: true
  };
  const next = change.next === undefined ? deadline() : change.next;
  return {
    now: at(0),
    phase: 'active',
    save_by: null,
    asked: null,
    last_activity: start,
    signals: [start],
    deadlines: next ? [next] : [],
    next,
    warning: null,
    kept_until: null,
    policy: {
      timeout: 10800,
      warnings: [1800, 600, 120],
      longest_keep_alive: 43200,
      longest_life: null
    },
    busy: [],
    mail: { configured: false, sent: null },
    ...change
  };
}

/**
 * The answer while something is warned of.
 */
export function warned(change: Partial<IIdleWarning> = {}): IIdleAnswer {
  const told = warning(change);
  return answer({
    phase: 'warned',
    warning: told,
    next: deadline({ time: told.stops_at, extendable: told.extendable })
  });
}

export const unreachable = (): MlinfnError =>
  new MlinfnError({ message: 'Failed to fetch', reason: null }, 0);

/**
 * A model that is read by hand: each read is answered with what is told.
 */
export function setUp(first: IIdleAnswer | MlinfnError = answer()) {
  const told: { answer: IIdleAnswer | MlinfnError } = { answer: first };
  const say = (): Promise<IIdleAnswer> =>
    told.answer instanceof MlinfnError
      ? Promise.reject(told.answer)
      : Promise.resolve(told.answer);
  const source = {
    read: jest.fn((signal?: AbortSignal) => say()),
    keepAlive: jest.fn((seconds?: number) => say()),
    stop: jest.fn(say),
    report: jest.fn((report: IPageReport) => Promise.resolve())
  };
  const model = new IdleModel(source);
  const tell = async (next: IIdleAnswer | MlinfnError): Promise<void> => {
    told.answer = next;
    await model.refresh();
  };
  return { model, source, tell, told };
}
