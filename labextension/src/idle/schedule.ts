import { IdlePhase, IIdleAnswer } from './api';

/** Milliseconds after something was due at which nobody has told of it. */
const LATE = 1500;
/** Milliseconds between looks while something should be happening. */
const AGAIN = 2000;
/** Milliseconds between looks at a server that fails, at last. */
const SELDOM = 60000;

/**
 * Whether the server is on its way to stop.
 */
export function isEndingPhase(phase: IdlePhase | undefined): boolean {
  return phase === 'saving' || phase === 'rescuing' || phase === 'stopping';
}

/**
 * In how many milliseconds to look again; null where nothing is due.
 *
 * @param now by the server's clock, in milliseconds since the epoch
 * @param failures how many looks have failed since the answer
 */
export function nextLook(
  answer: IIdleAnswer,
  now: number,
  failures: number
): number | null {
  const { next, phase, policy, warning } = answer;
  const ends = [next?.time, warning?.stops_at]
    .filter((time): time is string => typeof time === 'string')
    .map(time => Date.parse(time));
  const isOverdue =
    warning !== null && ends.length > 0 && Math.min(...ends) + LATE <= now;
  if (isEndingPhase(phase) || isOverdue) {
    return Math.min(AGAIN * 2 ** failures, SELDOM);
  }
  const waits: number[] = [];
  for (const end of ends) {
    for (const before of [0, ...policy.warnings]) {
      waits.push(end - before * 1000 - now);
    }
  }
  // What was due before is in the answer.
  const due = waits.filter(wait => wait > 0);
  return due.length === 0 ? null : Math.min(...due) + LATE;
}
