import { TranslationBundle } from '@jupyterlab/translation';

import { formatBytes } from '../format';
import { formatMemory } from '../gpu/words';
import { IEphemeral, IGpu, IHolder, IRunning, ISessionAnswer } from './api';
import { inFiles, inList, inMinutes, nameOf, NAMES } from './words';

/**
 * One line of what would be lost.
 *
 * - `looking`: not known yet
 * - `fine`: nothing would be lost
 * - `warn`: something would be, or may be
 */
export interface ILine {
  state: 'looking' | 'fine' | 'warn';
  text: string;
  /** More of it; '' for nothing. */
  detail: string;
  /** All of it, where `detail` is shortened; '' where it is not. */
  all: string;
}

const looking = (trans: TranslationBundle): ILine => ({
  state: 'looking',
  text: trans.__('looking…'),
  detail: '',
  all: ''
});

/**
 * @param here what this page itself has unsaved
 */
export function documentsLine(
  pages: ISessionAnswer['pages'] | null,
  here: string[],
  trans: TranslationBundle
): ILine {
  const elsewhere = (pages?.unsaved ?? []).filter(path => !here.includes(path));
  const all = [...here, ...elsewhere];
  const isAsking = pages === null || pages.asking;
  const silent = isAsking ? 0 : pages.silent;
  const didNot =
    silent === 0
      ? ''
      : trans._n('%1 page did not answer', '%1 pages did not answer', silent);
  if (all.length > 0) {
    const details = [inList(all.map(nameOf), trans)];
    if (here.length > 0 && elsewhere.length > 0) {
      details.push(trans.__('%1 in other tabs', String(elsewhere.length)));
    } else if (here.length === 0) {
      details.push(trans.__('in another tab, which saves before the stop'));
    }
    if (isAsking) {
      details.push(trans.__('asking other pages…'));
    }
    return {
      state: 'warn',
      text: trans._n(
        '%1 document with unsaved changes',
        '%1 documents with unsaved changes',
        all.length
      ),
      detail: [...details, didNot].filter(part => part).join(' · '),
      all: all.join('\n')
    };
  }
  if (isAsking) {
    return looking(trans);
  }
  if (silent > 0) {
    return {
      state: 'warn',
      text: didNot,
      detail: trans.__('Whether it has unsaved changes is not known.'),
      all: ''
    };
  }
  return {
    state: 'fine',
    text: trans.__('No unsaved changes'),
    detail: '',
    all: ''
  };
}

/**
 * @param now milliseconds since the epoch, by the server's clock
 */
export function runningLine(
  running: IRunning[] | null,
  now: number,
  trans: TranslationBundle
): ILine {
  if (running === null) {
    return looking(trans);
  }
  const since = ({ since }: IRunning): string =>
    since === null
      ? trans.__('since when is not known')
      : inMinutes((now - Date.parse(since)) / 1000, trans);
  if (running.length === 0) {
    return {
      state: 'fine',
      text: trans.__('No cell is running'),
      detail: '',
      all: ''
    };
  }
  const [first] = running;
  const names = running.map(each => `${each.title} (${since(each)})`);
  return running.length === 1
    ? {
        state: 'warn',
        text: trans.__('%1 is running a cell', first.title),
        detail:
          first.since === null
            ? since(first)
            : trans.__('for %1', since(first)),
        all: ''
      }
    : {
        state: 'warn',
        text: trans.__('%1 kernels are running a cell', String(running.length)),
        detail: inList(names, trans),
        all: names.join('\n')
      };
}

export function holdersLine(
  holders: IHolder[] | null,
  gpus: IGpu[],
  trans: TranslationBundle
): ILine {
  if (holders === null) {
    return looking(trans);
  }
  if (
    holders.length === 0 &&
    gpus.every(({ memory_used: used }) => used === null)
  ) {
    return {
      state: 'looking',
      text: trans.__('What holds GPU memory is not reported so far'),
      detail: '',
      all: ''
    };
  }
  if (holders.length === 0) {
    return {
      state: 'fine',
      text: trans.__('Nothing holds GPU memory'),
      detail: '',
      all: ''
    };
  }
  const names = holders.map(({ memory, title }) =>
    memory === null ? title : `${title} (${formatMemory(memory)})`
  );
  return {
    state: 'warn',
    text: trans._n(
      '%1 program holds GPU memory',
      '%1 programs hold GPU memory',
      holders.length
    ),
    detail: inList(names, trans),
    all: names.join('\n')
  };
}

export function terminalsLine(
  terminals: ISessionAnswer['terminals'] | null,
  trans: TranslationBundle
): ILine {
  if (terminals === null) {
    return looking(trans);
  }
  if (terminals.length === 0) {
    return {
      state: 'fine',
      text: trans.__('No program runs in a terminal'),
      detail: '',
      all: ''
    };
  }
  const names = terminals.map(
    ({ programs, title }) => `${title}: ${programs.join(', ')}`
  );
  return {
    state: 'warn',
    text: trans._n(
      'A program runs in a terminal',
      'Programs run in %1 terminals',
      terminals.length
    ),
    detail: inList(names, trans),
    all: names.join('\n')
  };
}

/**
 * @param lasting names of what lasts
 */
export function filesLine(
  files: IEphemeral | null,
  lasting: string[],
  trans: TranslationBundle
): ILine {
  if (files === null || (files.state === 'counting' && files.files === 0)) {
    return looking(trans);
  }
  if (files.state === 'failed' || files.state === 'unknown') {
    return {
      state: 'warn',
      text: trans.__('Which files would be lost is not known'),
      detail: files.reason,
      all: files.reason
    };
  }
  if (files.files === 0) {
    return {
      state: 'fine',
      text: trans.__('No file would be lost'),
      detail: files.reason,
      all: ''
    };
  }
  const amount = inFiles(files.files, files.bytes, trans);
  const names = files.biggest.map(
    ({ path, size }) => `${nameOf(path)} (${formatBytes(size)})`
  );
  const shown = names.slice(0, NAMES);
  const more = files.files - shown.length;
  return {
    state: 'warn',
    text:
      files.state === 'counting'
        ? trans.__('%1 so far, counting…', amount)
        : lasting.length > 0
          ? trans.__(
              '%1 outside %2 would be lost',
              amount,
              inList(lasting, trans)
            )
          : trans.__('%1 would be lost', amount),
    detail:
      more > 0
        ? trans.__('%1 and %2 more', shown.join(', '), String(more))
        : inList(names, trans),
    all: names.join('\n')
  };
}
