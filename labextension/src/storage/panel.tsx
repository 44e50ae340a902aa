import { TranslationBundle } from '@jupyterlab/translation';
import { Button, ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import React, { useRef, useState } from 'react';

import { MlinfnError } from '../api';
import { ErrorView } from '../errorView';
import { useSignal } from '../hooks';
import { storageIcon } from '../icons';
import { IJob, isActive } from '../jobs/api';
import { JobView, PLAIN, PRIMARY } from '../jobs/jobView';
import { IJobs } from '../jobs/tokens';
import { StorageActions } from './actions';
import { IStorageAnswer, StorageApi } from './api';
import { Losses } from './losses';
import { StorageModel } from './panelModel';
import { RESCUE } from './presenters';
import { Left } from './rescued';
import { Selection } from './selection';
import { Volumes } from './volumes';
import {
  describeFiles,
  describeLast,
  describeLosses,
  formatCount,
  formatMoment
} from './words';

/**
 * Below this width, in pixels, what can be done without is left out.
 */
const NARROW = 560;

export interface IPanelOptions {
  model: StorageModel;
  api: Pick<StorageApi, 'files' | 'rescue'>;
  jobs: IJobs;
  actions: StorageActions;
  trans: TranslationBundle;
}

/**
 * What lasts, what would be lost, and the way to keep it.
 */
export class StoragePanel extends ReactWidget {
  constructor(options: IPanelOptions) {
    super();
    this._options = options;
    this.addClass('jp-mlinfn-Storage');
    this.node.tabIndex = -1;
    this.title.icon = storageIcon;
    this.title.label = options.trans.__('Storage');
    this.title.closable = true;
  }

  dispose(): void {
    if (!this.isDisposed) {
      void this._options.model.setShown(false);
      super.dispose();
    }
  }

  protected onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    this._onShown();
  }

  protected onBeforeDetach(msg: Message): void {
    void this._options.model.setShown(false);
    super.onBeforeDetach(msg);
  }

  protected onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this._onShown();
  }

  protected onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    void this._options.model.setShown(false);
  }

  protected onActivateRequest(msg: Message): void {
    super.onActivateRequest(msg);
    this.node.focus();
  }

  protected onResize(msg: Widget.ResizeMessage): void {
    super.onResize(msg);
    const width = msg.width < 0 ? this.node.clientWidth : msg.width;
    this.toggleClass('jp-mod-narrow', width < NARROW);
  }

  protected render(): JSX.Element {
    return <Content {...this._options} />;
  }

  private _onShown(): void {
    void this._options.model.setShown(this.isVisible);
  }

  private _options: IPanelOptions;
}

export function Content(props: IPanelOptions): JSX.Element {
  const { model, actions, trans } = props;
  useSignal(model.changed);
  const { answer, error } = model;
  if (answer === null) {
    return error ? (
      <ErrorView error={error} trans={trans}>
        <div className="jp-mlinfn-buttons">
          <Button className={PLAIN} onClick={() => void model.refresh()}>
            {trans.__('Try again')}
          </Button>
        </div>
      </ErrorView>
    ) : (
      <p className="jp-mlinfn-hint" role="status">
        {trans.__('Loading…')}
      </p>
    );
  }
  return (
    <>
      <header>
        <h2>{trans.__('Storage')}</h2>
        <p className="jp-mlinfn-hint">
          {trans.__(
            'Which folders are still there after this server has stopped, how full they are, and what would be lost.'
          )}
        </p>
      </header>
      {error && <ErrorView error={error} trans={trans} />}
      {answer.volumes.length === 0 ? (
        <p>
          {trans.__('This server could not find out what its folders lie on.')}
        </p>
      ) : (
        <Volumes
          volumes={answer.volumes}
          browse={path => void actions.browse(path)}
          trans={trans}
        />
      )}
      <Lost {...props} answer={answer} />
    </>
  );
}

/**
 * What would be lost, and the job that keeps it.
 */
function Lost(props: IPanelOptions & { answer: IStorageAnswer }): JSX.Element {
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
