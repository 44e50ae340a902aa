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
  const path = told !== null && isBelow(told, spawn) ? told : own;
  const next = encodeURIComponent(
    window.location.pathname + window.location.search
  );
  const host = PageConfig.getOption('hubHost');
  return { url: `${host}${path}?next=${next}`, command: null };
}

function isBelow(path: string, folder: string): boolean {
  const { origin } = window.location;
  const url = new URL(path, origin);
  return (
    url.origin === origin &&
    url.pathname.startsWith(URLExt.join(folder, '/')) &&
    url.search === ''
  );
}
