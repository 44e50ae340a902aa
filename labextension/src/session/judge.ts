/**
 * Whether this page has its server.
 *
 * - `fine`: it answers
 * - `interrupted`: it does not, and nothing tells that it is no more
 * - `gone`: it was stopped, or does not answer for so long that it may have been
 * - `returned`: a server answers again, and it is not the one this page was made for
 */
export type Contact = 'fine' | 'interrupted' | 'gone' | 'returned';

/**
 * What a look at the server has found.
 */
export interface ILook {
  /** Of the answer; 0 where none came. */
  status: number;
  /** When the server that answered was started, as it tells. */
  started: string | null;
}

export interface ISurroundings {
  /** Whether this computer has a network at all. */
  online: boolean;
  /** Whether a hub's proxy stands before the server: it answers for one that is no more. */
  hub: boolean;
  /** Whether page and server are on one computer: no network can be missing. */
  local: boolean;
}

/** What a hub says of a server that does not run. */
const NOT_RUNNING = 424;
/** What a proxy says of a server that does not answer; it may be about to. */
const UNAVAILABLE = [502, 503, 504];
/** Seconds without an answer after which that is told as more than an interruption. */
const PATIENCE = { proxy: 5, local: 5, remote: 45 };

/**
 * What it means that the server answers like this.
 *
 * @param started when the server of this page was started; null where nobody knows
 * @param was what was thought before
 * @param failing seconds for which it has not answered
 * @param ending whether an end had begun, or its time had come
 */
export function judge(
  look: ILook,
  started: string | null,
  was: Contact,
  failing: number,
  ending: boolean,
  { hub, local, online }: ISurroundings
): Contact {
  const { status } = look;
  const wasGone = was === 'gone' || was === 'returned';
  if (status >= 200 && status < 300) {
    const isOther =
      started !== null && look.started !== null && look.started !== started;
    return isOther ? 'returned' : 'fine';
  }
  if (status === 401 || status === 403) {
    // The new one wants a login first, as it does with a hub.
    return 'returned';
  }
  if (wasGone || ending || status === NOT_RUNNING) {
    return 'gone';
  }
  if (UNAVAILABLE.includes(status)) {
    return failing >= PATIENCE.proxy ? 'gone' : 'interrupted';
  }
  if (status !== 0 || !online || hub) {
    return 'interrupted';
  }
  return failing >= (local ? PATIENCE.local : PATIENCE.remote)
    ? 'gone'
    : 'interrupted';
}
