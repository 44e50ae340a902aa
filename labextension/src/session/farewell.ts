import { TranslationBundle } from '@jupyterlab/translation';

import { ISaved } from '../idle/api';
import { IIdleEnd } from '../idle/model';
import { formatClock } from '../idle/words';
import { IJob } from '../jobs/api';
import { IRescued, ISessionAnswer, IStorage } from './api';
import { Contact } from './judge';
import {
  describeKept,
  describeLeft,
  describeResources,
  describeStays,
  inFiles,
  inList,
  lastingFolders
} from './words';

/**
 * What is known when this server ends, or has ended. It is all from before:
 * nothing can be asked for any more.
 */
export interface IKnown {
  contact: Contact;
  /** null where nothing tells of an end. */
  end: IIdleEnd | null;
  answer: ISessionAnswer | null;
  storage: IStorage | null;
  /** Whether somebody asked for it in this page. */
  asked: boolean;
  /** What this page saved before; null where it was not asked to. */
  saved: ISaved | null;
  /** What it has not saved now. */
  unsaved: string[];
  /** The rescue's; null for none. */
  job: IJob | null;
  /** Seconds for which the server has not answered. */
  failing: number;
  /** Milliseconds since the epoch, by the server's clock. */
  now: number;
}

export type Stage = 'stopping' | 'stopped' | 'unsure' | 'returned';

export interface IFact {
  name: 'freed' | 'saved' | 'unsaved' | 'kept' | 'left' | 'stays' | 'silent';
  state: 'doing' | 'fine' | 'warn';
  label: string;
  text: string;
}

/**
 * What the page says, all in words.
 */
export interface IFarewell {
  stage: Stage;
  title: string;
  /** When and why. */
  sentence: string;
  facts: IFact[];
}

export function stageOf({ answer, contact, end }: IKnown): Stage {
  if (contact === 'returned') {
    return 'returned';
  }
  const phase = answer?.stop.phase ?? null;
  const hasBegun = (phase !== null && phase !== 'waiting') || end?.begun;
  if (contact === 'fine' || contact === 'interrupted') {
    return end !== null ? (end.begun ? 'stopped' : 'unsure') : 'stopping';
  }
  return hasBegun ? 'stopped' : 'unsure';
}

export function farewell(known: IKnown, trans: TranslationBundle): IFarewell {
  const stage = stageOf(known);
  const titles: { [stage in Stage]: string } = {
    stopping: trans.__('This server is being stopped'),
    stopped: trans.__('This server is stopped'),
    unsure: trans.__('This server was stopped, or does not answer'),
    returned: trans.__('This server is running again')
  };
  return {
    stage,
    title: titles[stage],
    sentence: sentenceOf(stage, known, trans),
    facts:
      stage === 'returned'
        ? unsavedFact(known, trans)
        : factsOf(stage, known, trans)
  };
}

function sentenceOf(
  stage: Stage,
  { answer, asked, end, failing, now }: IKnown,
  trans: TranslationBundle
): string {
  if (stage === 'returned') {
    return trans.__(
      'It has been started anew: this page belongs to the one before.'
    );
  }
  if (stage === 'stopping') {
    return asked
      ? trans.__('Nothing is needed from you: this page tells when it is done.')
      : trans.__('Somebody asked for it, in another page or a terminal.');
  }
  const time = formatClock(end?.at ?? now - failing * 1000, now);
  if (asked || end?.asked) {
    return answer?.server.under_hub
      ? trans.__(
          'You asked for it at %1. Thank you: others can use what it held now.',
          time
        )
      : trans.__('You asked for it at %1.', time);
  }
  if (stage === 'stopped') {
    return [trans.__('It was stopped at %1.', time), end?.reason ?? '']
      .filter(part => part)
      .join(' ');
  }
  return end === null
    ? trans.__(
        'It has not answered since %1. The platform, an admin or yourself may have stopped it; nothing has told this page why.',
        time
      )
    : [trans.__('It was to be stopped at %1.', time), end.reason].join(' ');
}

function factsOf(
  stage: Stage,
  known: IKnown,
  trans: TranslationBundle
): IFact[] {
  const { answer, storage } = known;
  const facts = [
    ...savedFacts(stage, known, trans),
    ...rescueFacts(stage, known, trans)
  ];
  const silent = answer?.pages.silent ?? 0;
  if (silent > 0 && stage !== 'unsure') {
    facts.push({
      name: 'silent',
      state: 'warn',
      label: trans.__('Not known'),
      text: trans._n(
        '%1 page did not answer: what it had not saved is in that page only.',
        '%1 pages did not answer: what they had not saved is in those pages only.',
        silent
      )
    });
  }
  const resources =
    answer === null ? '' : describeResources(answer.resources, trans);
  if (resources && stage !== 'unsure') {
    facts.push({
      name: 'freed',
      state: stage === 'stopped' ? 'fine' : 'doing',
      label:
        stage === 'stopped' ? trans.__('Given back') : trans.__('Giving back'),
      text: resources
    });
  }
  facts.push({
    name: 'stays',
    state: 'fine',
    label: trans.__('Still there'),
    text: describeStays(lastingFolders(storage), trans)
  });
  return facts;
}

function savedFacts(
  stage: Stage,
  known: IKnown,
  trans: TranslationBundle
): IFact[] {
  const { saved, unsaved } = known;
  if (saved === null && stage === 'stopping') {
    return [
      {
        name: 'saved',
        state: 'doing',
        label: trans.__('Saving'),
        text:
          unsaved.length === 0
            ? trans.__('documents with changes, in all open pages')
            : inList(unsaved, trans, 10)
      }
    ];
  }
  const facts = unsavedFact(known, trans);
  if (saved !== null && saved.documents.length > 0) {
    facts.unshift({
      name: 'saved',
      state: 'fine',
      label: trans.__('Saved'),
      text: inList(saved.documents, trans, 10)
    });
  }
  return facts;
}

/**
 * What is in this page only: it is not lost as long as this page is open.
 */
function unsavedFact(
  { saved, unsaved }: IKnown,
  trans: TranslationBundle
): IFact[] {
  const failed = new Map(
    (saved?.failed ?? []).map(({ path, reason }) => [path, reason])
  );
  const paths = Array.from(new Set([...failed.keys(), ...unsaved]));
  if (paths.length === 0) {
    return [];
  }
  const each = paths.map(path => {
    const reason = failed.get(path);
    return reason ? trans.__('%1. %2', path, reason) : trans.__('%1.', path);
  });
  return [
    {
      name: 'unsaved',
      state: 'warn',
      label: trans.__('Not saved'),
      text: trans.__(
        '%1 The changes are in this page only: look around to copy them.',
        each.slice(0, 10).join(' ')
      )
    }
  ];
}

function rescueFacts(
  stage: Stage,
  { answer, job }: IKnown,
  trans: TranslationBundle
): IFact[] {
  const label = trans.__('Kept');
  const result = job?.result as IRescued | null | undefined;
  if (job?.state === 'done' && result) {
    const left = describeLeft(result, trans);
    const facts: IFact[] = [];
    if (result.files > 0) {
      facts.push({
        name: 'kept',
        state: 'fine',
        label,
        text: describeKept(result, trans)
      });
    }
    if (left) {
      facts.push({
        name: 'left',
        state: 'warn',
        label: trans.__('Not kept'),
        text: left
      });
    }
    return facts;
  }
  if (job?.state === 'failed' || job?.state === 'interrupted') {
    return [
      {
        name: 'left',
        state: 'warn',
        label: trans.__('Not kept'),
        text: [job.error?.message, job.error?.reason]
          .filter(part => part)
          .join(' ')
      }
    ];
  }
  const phase = answer?.stop.phase ?? null;
  if (job === null && phase !== 'rescuing') {
    return [];
  }
  const folder = answer?.rescue?.folder ?? '';
  const files = answer?.files ?? null;
  const amount =
    files === null || files.state !== 'known'
      ? trans.__('files that would be lost')
      : inFiles(files.files, files.bytes, trans);
  return [
    {
      name: 'kept',
      state: stage === 'stopping' ? 'doing' : 'warn',
      label: stage === 'stopping' ? trans.__('Keeping') : label,
      text:
        stage === 'stopping'
          ? trans.__('%1, in %2', amount, folder)
          : trans.__(
              'Copying %1 to %2 had begun when it was last heard of; the next start tells what is there.',
              amount,
              folder
            )
    }
  ];
}
