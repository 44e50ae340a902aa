import { PageConfig, URLExt } from '@jupyterlab/coreutils';

import { ISessionAnswer } from './api';

/**
 * How this server is started again.
 */
export interface IAgain {
  /** A page of the hub's that starts it; null without a hub. */
  url: string | null;
  /** What to type; null where nobody knows. */
  command: string | null;
}

/**
 * The page that starts the server of this page: its owner's, and that name's.
 *
 * What the server has told is believed only where it leads to the hub of this
 * page; else it is made of what the hub has written into this page.
 *
 * @param server as it told before its end; null where it did not
 */
export function howToStart(server: ISessionAnswer['server'] | null): IAgain {
  const prefix = PageConfig.getOption('hubPrefix');
  if (prefix === '') {
    return { url: null, command: server?.again.command ?? null };
  }
  const spawn = URLExt.join(prefix, 'spawn');
  const told = server?.again.url ?? null;
  const own = URLExt.join(
    spawn,
    ...[PageConfig.getOption('hubUser'), PageConfig.getOption('hubServerName')]
      .filter(part => part !== '')
      .map(encodeURIComponent)
  );
  // '' where the hub is at the same host.
  const host = PageConfig.getOption('hubHost');
  const path = (told !== null && below(told, host, spawn)) || own;
  const next = encodeURIComponent(
    window.location.pathname + window.location.search
  );
  return { url: `${host}${path}?next=${next}`, command: null };
}

/**
 * The path of an address, where it is below that folder of that host; else ''.
 */
function below(address: string, host: string, folder: string): string {
  const origin = host === '' ? window.location.origin : host;
  const url = new URL(address, origin);
  return url.origin === new URL(origin).origin &&
    url.pathname.startsWith(URLExt.join(folder, '/')) &&
    url.search === ''
    ? url.pathname
    : '';
}

/** Milliseconds that a hub has to show its page. */
const PATIENCE = 5000;

/**
 * Whether the hub is still stopping the server: until that is done it starts
 * none, and its page that says so leads no further.
 *
 * The hub's API takes no cookie from a page of a server. Its page of a server
 * that does not run offers to start it, that of one that is being stopped does
 * not. https://github.com/jupyterhub/jupyterhub/blob/main/jupyterhub/handlers/pages.py
 *
 * @param url where the server is started
 */
export async function isStillStopping(url: string): Promise<boolean> {
  const { origin, pathname } = new URL(url, window.location.href);
  if (origin !== window.location.origin) {
    return false;
  }
  const abort = new AbortController();
  const patience = window.setTimeout(() => abort.abort(), PATIENCE);
  try {
    const answer = await fetch(pathname.replace('/spawn/', '/spawn-pending/'), {
      redirect: 'manual',
      signal: abort.signal
    });
    return answer.status === 200 && !(await answer.text()).includes('/spawn/');
  } catch {
    // Where it leads is shown there.
    return false;
  } finally {
    clearTimeout(patience);
  }
}
