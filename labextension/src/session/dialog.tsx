import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React, { useEffect, useState } from 'react';

import { MlinfnError } from '../api';
import { ErrorView } from '../errorView';
import { useSignal } from '../hooks';
import { IPageDocuments } from '../idle/tokens';
import { ask } from '../modal';
import { ISessionAnswer } from './api';
import { Line, Mark } from './line';
import { SessionModel } from './model';
import {
  documentsLine,
  filesLine,
  holdersLine,
  runningLine,
  terminalsLine
} from './lines';
import {
  describeFit,
  describeGpu,
  describeMachine,
  describeStays,
  inList,
  keepsAtStop,
  lastingFolders
} from './words';

/** Milliseconds that this page's documents have to be saved. */
const SAVE = 20000;

/**
 * What was chosen; `stopped` where the stop has begun, here or elsewhere.
 */
export type Chosen = 'cancel' | 'stopped' | 'waiting' | 'gpu' | 'show';

export interface IDialogOptions {
  model: SessionModel;
  documents: IPageDocuments;
  /** Whether the room of the GPU can free its memory now. */
  canFreeGpu: () => boolean;
  /** Whether files can be shown. */
  canShow: boolean;
  trans: TranslationBundle;
}

/**
 * Show what would be given back and what would be lost, and ask.
 */
export function askToFree(options: IDialogOptions): Promise<Chosen> {
  const { model } = options;
  return ask<Chosen>({
    className: 'jp-mlinfn-Session',
    role: 'dialog',
    render: answer => <FreeDialog {...options} answer={answer} />,
    cancelled: 'cancel',
    changed: model.changed,
    // Another page, or a command, was faster.
    isPointless: () => model.isStopping,
    otherwise: 'stopped'
  });
}

export function FreeDialog(
  props: IDialogOptions & { answer: (chosen: Chosen) => void }
): JSX.Element {
  const { model, documents, canFreeGpu, canShow, answer, trans } = props;
  useSignal(model.changed);
  const [keeps, setKeeps] = useState(true);
  const [problem, setProblem] = useState<MlinfnError | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const here = useUnsaved(documents);
  const known = model.answer;
  const surveyed = model.isSurveyed ? known : null;
  const files = known?.files ?? null;
  const waits = known?.stop.phase === 'waiting' ? known.stop.waits_for : null;
  const canKeep = keepsAtStop(known?.rescue ?? null);
  const isAnythingLost = (files?.files ?? 0) > 0;
  const gpus = known?.resources.gpu ?? [];
  const lasting = lastingFolders(model.storage);

  const attempt = async (
    work: () => Promise<void>,
    chosen: Chosen | null
  ): Promise<void> => {
    setIsBusy(true);
    setProblem(null);
    try {
      await work();
      if (chosen !== null) {
        answer(chosen);
      }
    } catch (thrown) {
      setProblem(MlinfnError.from(thrown));
    } finally {
      setIsBusy(false);
    }
  };
  const stop = (when: 'now' | 'finished'): Promise<void> =>
    attempt(
      () => model.stop(when, keeps && canKeep),
      when === 'now' ? 'stopped' : 'waiting'
    );
  const saveAll = (): Promise<void> =>
    attempt(async () => {
      const { failed } = await documents.saveAll(SAVE);
      await model.survey();
      if (failed.length > 0) {
        const [{ path, reason }] = failed;
        throw new MlinfnError(
          { message: trans.__('%1 is not saved.', path), reason },
          200
        );
      }
    }, null);

  return (
    <>
      <div className="jp-Dialog-header" id="jp-mlinfn-modal-title">
        {trans.__('Free resources')}
      </div>
      <div className="jp-Dialog-body" id="jp-mlinfn-modal-text">
        <Resources answer={known} trans={trans} />
        <h3>{trans.__('Before that')}</h3>
        <ul className="jp-mlinfn-Session-lines">
          <Line
            name="documents"
            line={documentsLine(surveyed?.pages ?? null, here, trans)}
            trans={trans}
          >
            {here.length > 0 && (
              <Button small disabled={isBusy} onClick={() => void saveAll()}>
                {trans._n('Save', 'Save all', here.length)}
              </Button>
            )}
          </Line>
          <Line
            name="running"
            line={runningLine(known?.running ?? null, model.now, trans)}
            trans={trans}
          >
            {(known?.running.length ?? 0) > 0 && waits === null && (
              <Button
                small
                disabled={isBusy}
                onClick={() => void stop('finished')}
              >
                {trans._n(
                  'Stop when it finishes',
                  'Stop when they finish',
                  known?.running.length ?? 0
                )}
              </Button>
            )}
            {waits !== null && (
              <Button
                small
                disabled={isBusy}
                title={trans.__(
                  'This server stops when %1 has finished.',
                  inList(waits, trans)
                )}
                onClick={() => void attempt(() => model.callOff(), null)}
              >
                {trans.__('Do not wait to stop')}
              </Button>
            )}
          </Line>
          {gpus.length > 0 && (
            <Line
              name="gpu"
              line={holdersLine(surveyed?.holders ?? null, gpus, trans)}
              trans={trans}
            />
          )}
          <Line
            name="terminals"
            line={terminalsLine(surveyed?.terminals ?? null, trans)}
            trans={trans}
          />
          <Line
            name="files"
            line={filesLine(files, lasting, trans)}
            trans={trans}
          >
            {isAnythingLost && canShow && (
              <Button
                small
                disabled={isBusy}
                title={trans.__('Show the files, and choose some of them')}
                onClick={() => answer('show')}
              >
                {trans.__('Show')}
              </Button>
            )}
          </Line>
        </ul>
        <Keep model={model} keeps={keeps} setKeeps={setKeeps} trans={trans} />
        {problem && <ErrorView error={problem} trans={trans} />}
        {!problem && model.surveyError && (
          <ErrorView error={model.surveyError} trans={trans} />
        )}
      </div>
      <div className="jp-Dialog-footer jp-mlinfn-Modal-footer">
        <button
          className="jp-Dialog-button jp-mod-styled jp-mod-reject"
          // What Enter presses: a stop cannot be undone.
          autoFocus
          onClick={() => answer('cancel')}
        >
          <div className="jp-Dialog-buttonLabel">{trans.__('Cancel')}</div>
        </button>
        {gpus.length > 0 && (
          <button
            className="jp-Dialog-button jp-mod-styled jp-mod-reject"
            disabled={isBusy || !canFreeGpu() || known?.holders?.length === 0}
            title={trans.__('Choose kernels to shut down; the server goes on')}
            onClick={() => answer('gpu')}
          >
            <div className="jp-Dialog-buttonLabel">
              {trans.__('Free the GPU only')}
            </div>
          </button>
        )}
        <button
          className="jp-Dialog-button jp-mod-styled jp-mod-warn"
          disabled={isBusy || known === null}
          onClick={() => void stop('now')}
        >
          <div className="jp-Dialog-buttonLabel">{trans.__('Stop now')}</div>
        </button>
      </div>
    </>
  );
}

/**
 * What is given back.
 */
function Resources(props: {
  answer: ISessionAnswer | null;
  trans: TranslationBundle;
}): JSX.Element {
  const { answer, trans } = props;
  const machine =
    answer === null ? [] : describeMachine(answer.resources, trans);
  return (
    <dl className="jp-mlinfn-Session-resources">
      {answer?.resources.gpu.map((gpu, index) => (
        <React.Fragment key={index}>
          <dt>{trans.__('GPU')}</dt>
          <dd>{describeGpu(gpu, trans)}</dd>
        </React.Fragment>
      ))}
      <dt>{trans.__('CPU')}</dt>
      <dd>
        {answer === null
          ? trans.__('looking…')
          : machine.join(', ') || trans.__('not known')}
      </dd>
    </dl>
  );
}

/**
 * Whether what would be lost is kept, and what stays in any case.
 */
function Keep(props: {
  model: SessionModel;
  keeps: boolean;
  setKeeps: (keeps: boolean) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, keeps, setKeeps, trans } = props;
  const rescue = model.answer?.rescue ?? null;
  const canKeep = keepsAtStop(rescue);
  const told = describeFit(
    model.answer?.files ?? null,
    rescue,
    model.storage,
    trans
  );
  return (
    <div className="jp-mlinfn-Session-keep">
      <label>
        <input
          type="checkbox"
          checked={keeps && canKeep}
          disabled={!canKeep}
          aria-describedby="jp-mlinfn-session-fit"
          onChange={event => setKeeps(event.target.checked)}
        />
        {trans.__(
          'Copy files that would be lost to %1',
          rescue?.folder ?? 'private/rescued'
        )}
      </label>
      <div
        id="jp-mlinfn-session-fit"
        className="jp-mlinfn-Session-detail"
        title={told || undefined}
      >
        {told}
      </div>
      <p className="jp-mlinfn-Session-note">
        <Mark state="fine" trans={trans} />
        {describeStays(lastingFolders(model.storage), trans)}
      </p>
      <p className="jp-mlinfn-Session-note">
        <Mark state="fine" trans={trans} />
        {trans.__('All open pages save their documents before the stop.')}
      </p>
      <p className="jp-mlinfn-Session-note">
        <Mark state="warn" trans={trans} />
        {trans.__('Kernels and terminals end: their variables are lost.')}
      </p>
    </div>
  );
}

/**
 * This page's documents with unsaved changes: asked for again with every answer.
 */
function useUnsaved(documents: IPageDocuments): string[] {
  const [unsaved, setUnsaved] = useState(() => documents.list().unsaved);
  useEffect(() => {
    const now = documents.list().unsaved;
    if (now.join('\n') !== unsaved.join('\n')) {
      setUnsaved(now);
    }
  });
  return unsaved;
}
