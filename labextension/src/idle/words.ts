import { TranslationBundle } from '@jupyterlab/translation';

import {
  DeadlineSource,
  IIdleAnswer,
  IIdleDeadline,
  IIdleWarning,
  SignalSource
} from './api';
import { isEndingPhase } from './schedule';

const DAY = 24 * 3600 * 1000;

/**
 * A time of the day, with its day where that is not today: 14:30, Tuesday 02:30.
 *
 * Rounded down to the minute: never later than what happens.
 *
 * @param now what today is reckoned from; both in milliseconds since the epoch
 */
export function formatClock(time: number, now: number): string {
  const clock: Intl.DateTimeFormatOptions = {
    hour: '2-digit',
    minute: '2-digit'
  };
  const isToday =
    new Date(time).toDateString() === new Date(now).toDateString();
  const day: Intl.DateTimeFormatOptions = isToday
    ? {}
    : Math.abs(time - now) < 6 * DAY
      ? { weekday: 'long' }
      : { day: 'numeric', month: 'short' };
  return new Date(time).toLocaleString([], { ...day, ...clock });
}

/**
 * What is left, for a running clock: 1:58, 0:09.
 */
export function formatCountdown(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const rest = String(whole % 60).padStart(2, '0');
  return `${Math.floor(whole / 60)}:${rest}`;
}

/**
 * A length of time in words, rounded down: 45 seconds, 28 minutes, 2 hours 10 minutes.
 */
export function inLength(seconds: number, trans: TranslationBundle): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 120) {
    return trans._n('%1 second', '%1 seconds', whole);
  }
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) {
    return trans._n('%1 minute', '%1 minutes', minutes);
  }
  const hours = trans._n('%1 hour', '%1 hours', Math.floor(minutes / 60));
  const rest = minutes % 60;
  return rest === 0
    ? hours
    : `${hours} ${trans._n('%1 minute', '%1 minutes', rest)}`;
}

/**
 * The first words of a warning: This server stops at 14:30.
 */
export function headline(
  warning: IIdleWarning,
  now: number,
  trans: TranslationBundle
): string {
  const time = formatClock(Date.parse(warning.stops_at), now);
  return warning.extendable
    ? trans.__('This server stops at %1.', time)
    : trans.__('This server stops at %1, used or not.', time);
}

/**
 * What stops this server, or that nothing does.
 */
export function outlook(
  answer: IIdleAnswer,
  now: number,
  trans: TranslationBundle
): string {
  const { next, phase } = answer;
  if (isEndingPhase(phase)) {
    return trans.__('This server is being stopped.');
  }
  if (next === null) {
    return trans.__('Nothing stops this server by itself.');
  }
  const at = Date.parse(next.time);
  const time = formatClock(at, now);
  const left = inLength((at - now) / 1000, trans);
  return next.extendable
    ? trans.__('It stops at %1, in %2, unless it is used.', time, left)
    : trans.__('It stops at %1, in %2, used or not.', time, left);
}

/**
 * Who stops, in a few words.
 */
export function describeDeadline(
  { action, source }: IIdleDeadline,
  trans: TranslationBundle
): string {
  const words: { [source in DeadlineSource]: string } = {
    policy: trans.__('Not used for too long'),
    hub_culler: trans.__('JupyterHub: not used for too long'),
    hub_maximum_age: trans.__('JupyterHub: longest life of a server'),
    server_timeout: trans.__('Jupyter Server: not used for too long'),
    kernel_culling: trans.__('Jupyter Server: kernel not used'),
    allocation: trans.__('End of the time that was booked')
  };
  return action === 'stop_kernel'
    ? trans.__('%1 (ends the kernel only)', words[source])
    : words[source];
}

/**
 * What is looked at, in a few words.
 */
export function describeSignal(
  source: SignalSource,
  trans: TranslationBundle
): string {
  const words: { [source in SignalSource]: string } = {
    start: trans.__('Start of the server'),
    kernels: trans.__('Cells that run'),
    terminals: trans.__('Typing in a terminal'),
    processes: trans.__('Programs that compute'),
    page: trans.__('Pointer and keys in this page'),
    proxied: trans.__('VS Code, TensorBoard and the like'),
    keepalive: trans.__('“I’m still here”, “Keep for…”'),
    other: trans.__('Other extensions')
  };
  return words[source];
}

/**
 * Which cells are running: train.ipynb has been running a cell for 41 minutes.
 */
export function describeBusy(
  { busy }: IIdleAnswer,
  now: number,
  trans: TranslationBundle
): string[] {
  return busy.map(({ since, title }) =>
    trans.__(
      '%1 has been running a cell for %2.',
      title,
      inLength((now - Date.parse(since)) / 1000, trans)
    )
  );
}

/**
 * What nobody can save: it is said wherever somebody decides to go or to stay.
 */
export function aboutOutputs(trans: TranslationBundle): string {
  return trans.__(
    'Results of cells that finish while no page is open are not in the notebook file.'
  );
}

/**
 * What came of asking to be kept; honest where that is less.
 *
 * @param wanted seconds
 */
export function describeKept(
  answer: IIdleAnswer,
  wanted: number,
  now: number,
  trans: TranslationBundle
): string {
  const { deadlines, kept_until: until } = answer;
  if (until === null) {
    return trans.__(
      'Nothing stops this server by itself: it needs no keeping.'
    );
  }
  const kept = Date.parse(until);
  const asked = now + wanted * 1000;
  const told =
    // The way there and back takes a moment.
    asked - kept > 60000
      ? trans.__(
          'You asked for %1; so far this server is kept until %2.',
          formatClock(asked, now),
          formatClock(kept, now)
        )
      : trans.__('This server is kept until %1.', formatClock(kept, now));
  const sooner = deadlines.find(
    ({ action, extendable, time }) =>
      action === 'stop_server' && !extendable && Date.parse(time) < kept
  );
  return sooner
    ? trans.__(
        '%1 But it stops at %2 all the same: %3.',
        told,
        formatClock(Date.parse(sooner.time), now),
        describeDeadline(sooner, trans)
      )
    : told;
}
