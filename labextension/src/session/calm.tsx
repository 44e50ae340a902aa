import { TranslationBundle } from '@jupyterlab/translation';
import { checkIcon } from '@jupyterlab/ui-components';
import { ISignal } from '@lumino/signaling';
import React, { useEffect, useState } from 'react';

import { CopyButton } from '../copyButton';
import { useSignal } from '../hooks';
import { cautionIcon, leafIcon } from '../icons';
import { ask } from '../modal';
import { IAgain } from './again';
import { farewell, IFact, IKnown, Stage, stageOf } from './farewell';

export interface ICalmOptions {
  /** What is known now. */
  known: () => IKnown;
  again: () => IAgain;
  /** Emitted when something else may be known. */
  changed: ISignal<any, void>;
  /** Whether there is nothing more to tell. */
  isOver: () => boolean;
  /** Stay after all; why that was not possible, '' where it was. */
  callOff: () => Promise<string>;
  /** Whether it can still be called off. */
  canCallOff: () => boolean;
  /** Ask whether the server answers. */
  lookNow: () => Promise<void>;
  /** Go to where it is started. */
  start: () => Promise<void>;
  /** Load this page anew. */
  reload: () => void;
  trans: TranslationBundle;
}

/**
 * A calm page over everything, from the stop until there is a server again.
 *
 * @returns whether somebody closed it, to see what JupyterLab still shows
 */
export function showCalm(options: ICalmOptions): Promise<boolean> {
  return ask<boolean>({
    className: 'jp-mlinfn-Calm',
    role: 'dialog',
    render: answer => <Calm {...options} lookAround={() => answer(true)} />,
    cancelled: true,
    changed: options.changed,
    isPointless: options.isOver,
    otherwise: false
  });
}

export function Calm(
  props: ICalmOptions & { lookAround: () => void }
): JSX.Element {
  const { again, changed, known, lookAround, trans } = props;
  useSignal(changed);
  const told = farewell(known(), trans);
  const { facts, sentence, stage, title } = told;
  const { command, url } = again();
  return (
    <div className="jp-mlinfn-Calm-page" data-stage={stage}>
      <div className="jp-mlinfn-Calm-column">
        <div className="jp-mlinfn-Calm-icon" aria-hidden="true">
          <leafIcon.react tag="span" width="48px" height="48px" />
        </div>
        <h1 id="jp-mlinfn-modal-title">{title}</h1>
        <div id="jp-mlinfn-modal-text">
          <p className="jp-mlinfn-Calm-sentence">{sentence}</p>
          <dl className="jp-mlinfn-Calm-facts">
            {facts.map(fact => (
              <Fact key={fact.name} fact={fact} trans={trans} />
            ))}
          </dl>
        </div>
        {(stage === 'stopped' || stage === 'unsure') && url === null && (
          <Command command={command} trans={trans} />
        )}
        <Buttons {...props} stage={stage} url={url} lookAround={lookAround} />
      </div>
    </div>
  );
}

function Fact(props: { fact: IFact; trans: TranslationBundle }): JSX.Element {
  const { fact, trans } = props;
  return (
    <div
      className="jp-mlinfn-Calm-fact"
      data-fact={fact.name}
      data-state={fact.state}
    >
      <dt>
        <span className="jp-mlinfn-Session-mark" data-state={fact.state}>
          {fact.state === 'fine' ? (
            <checkIcon.react tag="span" width="16px" height="16px" />
          ) : fact.state === 'warn' ? (
            <>
              <cautionIcon.react tag="span" width="16px" height="16px" />
              <span className="jp-mlinfn-sr">{trans.__('Attention:')}</span>
            </>
          ) : (
            <span className="jp-mlinfn-Session-dots" aria-hidden="true">
              …
            </span>
          )}
        </span>
        {fact.label}
      </dt>
      <dd>{fact.text}</dd>
    </div>
  );
}

function Command(props: {
  command: string | null;
  trans: TranslationBundle;
}): JSX.Element {
  const { command, trans } = props;
  return command === null ? (
    <p className="jp-mlinfn-Calm-how">
      {trans.__('Start it again as you did before.')}
    </p>
  ) : (
    <div className="jp-mlinfn-Calm-how">
      <p>{trans.__('To start it again, type in a terminal:')}</p>
      <div className="jp-mlinfn-Calm-command">
        <code>{command}</code>
        <CopyButton
          text={command}
          label={trans.__('Copy the command')}
          trans={trans}
        />
      </div>
    </div>
  );
}

function Buttons(
  props: ICalmOptions & {
    stage: Stage;
    url: string | null;
    lookAround: () => void;
  }
): JSX.Element {
  const { stage, url, trans } = props;
  const { callOff, canCallOff, lookAround, lookNow, reload, start } = props;
  const [isBusy, setIsBusy] = useState(false);
  const [told, setTold] = useState('');
  useEffect(() => {
    setTold('');
    setIsBusy(false);
  }, [stage]);
  const act = async (
    doing: string,
    work: () => Promise<string>
  ): Promise<void> => {
    setIsBusy(true);
    setTold(doing);
    setTold(await work());
    setIsBusy(false);
  };
  const tryAgain = async (): Promise<string> => {
    await lookNow();
    return trans.__('It does not answer yet.');
  };
  const primary: { label: string; run: () => void } | null =
    stage === 'returned'
      ? { label: trans.__('Open it'), run: reload }
      : stage === 'stopping'
        ? null
        : url === null
          ? {
              label: trans.__('Try again'),
              run: () => void act(trans.__('Looking…'), tryAgain)
            }
          : {
              label: trans.__('Start again'),
              run: () =>
                void act(trans.__('As soon as the hub is ready…'), () =>
                  start().then(() => '')
                )
            };
  const hint =
    stage === 'stopping'
      ? ''
      : stage === 'returned'
        ? trans.__('Opening it loads this page anew.')
        : trans.__(
            'This page notices by itself when the server answers again.'
          );
  return (
    <>
      <div className="jp-mlinfn-Calm-buttons">
        <button
          className="jp-Dialog-button jp-mod-styled jp-mod-reject"
          onClick={lookAround}
          title={trans.__('See what this page still shows, to copy from it')}
        >
          {trans.__('Look around')}
        </button>
        {stage === 'stopping' && (
          <button
            className="jp-Dialog-button jp-mod-styled jp-mod-reject"
            disabled={isBusy || !canCallOff()}
            onClick={() => void act('', callOff)}
          >
            {trans.__('Do not stop')}
          </button>
        )}
        {primary && (
          <button
            key={stage}
            className="jp-Dialog-button jp-mod-styled jp-mod-accept"
            autoFocus
            aria-disabled={isBusy}
            onClick={() => {
              if (!isBusy) {
                primary.run();
              }
            }}
          >
            {primary.label}
          </button>
        )}
      </div>
      <p className="jp-mlinfn-Calm-hint" role="status">
        {told || hint}
      </p>
    </>
  );
}

/**
 * Whether the page would have anything to say.
 */
export function isPartingNow(known: IKnown, wasAsked: boolean): boolean {
  return stageOf(known) !== 'stopping' || wasAsked;
}
