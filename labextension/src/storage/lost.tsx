import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React, { useEffect, useRef, useState } from 'react';

import { MlinfnError } from '../api';
import { ErrorView } from '../errorView';
import { useSignal } from '../hooks';
import { IJob, isActive } from '../jobs/api';
import { JobView, PLAIN, PRIMARY } from '../jobs/jobView';
import { IJobs } from '../jobs/tokens';
import { IStorageAnswer, StorageApi } from './api';
import { Losses } from './losses';
import { StorageModel } from './panelModel';
import { RESCUE } from './presenters';
import { Left } from './rescued';
import { Selection } from './selection';
import {
  describeFiles,
  describeLast,
  describeLosses,
  formatCount,
  formatMoment
} from './words';

export interface ILostProps {
  answer: IStorageAnswer;
  model: StorageModel;
  api: Pick<StorageApi, 'files' | 'rescue'>;
  jobs: IJobs;
  trans: TranslationBundle;
}

/**
 * What would be lost, and the job that keeps it.
 */
export function Lost(props: ILostProps): JSX.Element {
  const { answer, api, jobs, model, trans } = props;
  useSignal(jobs.model.changed);
  const selection = useRef(new Selection()).current;
  const [refused, setRefused] = useState<MlinfnError | null>(null);
  const [dismissed, setDismissed] = useState<string | null>(null);
  const { ephemeral, rescue } = answer;
  const { state } = ephemeral;

  // Of those that ended before it is told below: but for what is still to be decided.
  const followed = useRef(new Set<string>()).current;
  const newest = jobs.model.jobs.find(({ kind }) => kind === RESCUE);
  const isKeeping = newest !== undefined && isActive(newest);
  if (isKeeping) {
    followed.add(newest.id);
  }
  const wasKeeping = useRef(isKeeping);
  useEffect(() => {
    if (wasKeeping.current && !isKeeping) {
      // What was kept, and the space it takes.
      void model.refresh();
    }
    wasKeeping.current = isKeeping;
  }, [isKeeping]);
  const isOpen =
    newest !== undefined &&
    newest.id !== dismissed &&
    (followed.has(newest.id) ||
      newest.state === 'failed' ||
      newest.state === 'interrupted');
  const job = isOpen ? newest : undefined;
  const adopt = (next: IJob): void => {
    followed.add(next.id);
    setDismissed(null);
    jobs.model.adopt(next);
  };
  const keep = (): void => {
    setRefused(null);
    api.rescue(selection.request).then(adopt, thrown => {
      setRefused(MlinfnError.from(thrown));
    });
  };

  return (
    <section
      className="jp-mlinfn-Storage-lost"
      aria-labelledby="jp-mlinfn-storage-lost"
    >
      <div className="jp-mlinfn-Storage-head">
        <h3 id="jp-mlinfn-storage-lost">
          {trans.__('Files that would be lost')}
        </h3>
        <Button
          className={PLAIN}
          disabled={state === 'counting'}
          onClick={() => {
            selection.setAll(true);
            void model.count();
          }}
        >
          {trans.__('Look again')}
        </Button>
      </div>
      <Found answer={answer} trans={trans} />
      {job && (
        <>
          <JobView
            key={job.id}
            job={job}
            jobs={jobs}
            trans={trans}
            onResumed={adopt}
            onDiscarded={() => setDismissed(job.id)}
          />
          <Left job={job} trans={trans} />
        </>
      )}
      {ephemeral.files > 0 && (
        <>
          {refused && <ErrorView error={refused} trans={trans} />}
          <Keep
            answer={answer}
            selection={selection}
            isKeeping={isKeeping}
            isDone={job?.state === 'done'}
            keep={keep}
            trans={trans}
          />
          <Losses
            ephemeral={ephemeral}
            bases={basesOf(answer)}
            selection={selection}
            list={folder => api.files(folder)}
            trans={trans}
          />
        </>
      )}
      {rescue.last && !(job && job.state === 'done') && (
        <p className="jp-mlinfn-hint">
          {trans.__(
            'Kept before, in %1: %2.',
            rescue.last.folder,
            describeLast(rescue.last, trans)
          )}
        </p>
      )}
    </section>
  );
}

/**
 * How many there are, or why that is not known.
 */
function Found(props: {
  answer: IStorageAnswer;
  trans: TranslationBundle;
}): JSX.Element {
  const { ephemeral } = props.answer;
  const { trans } = props;
  const { counted, files, bytes, ignored, reason, state } = ephemeral;
  const told = (
    <span aria-live="polite">
      {state === 'counting'
        ? files > 0
          ? trans.__(
              'Looking… %1 until now',
              describeFiles(files, bytes, trans)
            )
          : trans.__('Looking…')
        : state === 'unknown'
          ? trans.__('Nobody has looked yet.')
          : files > 0
            ? describeLosses(ephemeral, trans)
            : state === 'known'
              ? trans.__(
                  'None. What is made or changed outside the folders that last is listed here, to be kept before the server stops.'
                )
              : ''}
    </span>
  );
  return (
    <div>
      <p>{told}</p>
      {state === 'failed' && (
        <ErrorView
          error={{
            message: trans.__('Not all could be looked at.'),
            reason,
            hint: trans.__('Look again; there may be more than is listed.')
          }}
          trans={trans}
        />
      )}
      {state !== 'failed' && state !== 'unknown' && reason && (
        <p className={files > 0 ? 'jp-mlinfn-warning' : 'jp-mlinfn-hint'}>
          {reason}
        </p>
      )}
      {counted && (
        <p className="jp-mlinfn-hint">
          {trans.__('As of %1.', formatMoment(counted))}
          {ignored > 0 &&
            ' ' +
              trans.__(
                'Caches, checkpoints and the like are left out (%1).',
                formatCount(ignored)
              )}
        </p>
      )}
    </div>
  );
}

function Keep(props: {
  answer: IStorageAnswer;
  selection: Selection;
  isKeeping: boolean;
  /** Whether it has just been done: then that is not the first thing to do. */
  isDone: boolean;
  keep: () => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { answer, selection, isDone, isKeeping, keep, trans } = props;
  useSignal(selection.changed);
  const { ephemeral, rescue } = answer;
  const { files, bytes } = selection.chosenOf(ephemeral);
  if (!rescue.possible) {
    return (
      <p className="jp-mlinfn-warning">
        {rescue.reason || trans.__('They cannot be kept from here.')}
      </p>
    );
  }
  return (
    <div className="jp-mlinfn-buttons jp-mlinfn-Storage-keep">
      <Button
        className={isDone ? PLAIN : PRIMARY}
        disabled={isKeeping || files === 0}
        onClick={keep}
      >
        {trans.__('Keep in %1', rescue.folder)}
      </Button>
      <span className="jp-mlinfn-hint" aria-live="polite">
        {files === 0
          ? trans.__('Nothing is chosen.')
          : trans.__('A copy of %1', describeFiles(files, bytes, trans))}
      </span>
    </div>
  );
}

/**
 * The folder at the top of JupyterLab, then others whose files are looked at.
 */
function basesOf({ volumes }: IStorageAnswer): string[] {
  const root = volumes.filter(({ root_path: path }) => path === '');
  const home = volumes.filter(({ name }) => name === '~');
  return [...root, ...home].map(({ path }) => path);
}
