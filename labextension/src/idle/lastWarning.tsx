import { TranslationBundle } from '@jupyterlab/translation';
import React, { useEffect, useState } from 'react';

import { useSignal } from '../hooks';
import { ask } from '../modal';
import { IdleModel } from './model';
import {
  aboutOutputs,
  describeBusy,
  formatClock,
  formatCountdown,
  inLength
} from './words';

/**
 * What can be answered to a warning; `later` is to be reminded of it, `gone`
 * that it is true no more.
 */
export type Answer = 'here' | 'keep' | 'stop' | 'why' | 'later' | 'gone';

/** Seconds before the end at which a screen reader tells what is left. */
const TOLD_AT = [120, 60, 30, 10];

/**
 * The last warning: a dialog with a running clock. It goes by itself when the
 * warning was answered elsewhere.
 *
 * @param problem why the last answer had no effect
 */
export function askLast(
  model: IdleModel,
  problem: string,
  trans: TranslationBundle
): Promise<Answer> {
  const { id } = model.warning ?? {};
  return ask<Answer>({
    render: answer => (
      <LastWarning
        model={model}
        problem={problem}
        answer={answer}
        trans={trans}
      />
    ),
    cancelled: 'later',
    changed: model.changed,
    isPointless: () => model.warning?.id !== id,
    otherwise: 'gone'
  });
}

export function LastWarning(props: {
  model: IdleModel;
  problem: string;
  answer: (answer: Answer) => void;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { model, problem, answer, trans } = props;
  useSignal(model.changed);
  const [shown] = useState(model.warning);
  // While it closes it does not change.
  const warning = model.warning ?? shown;
  if (warning === null || model.answer === null) {
    return null;
  }
  const { extendable, reason, stops_at: end } = warning;
  const button = (
    chosen: Answer,
    label: string,
    isDefault = false
  ): JSX.Element => (
    <button
      className={`jp-Dialog-button jp-mod-styled ${isDefault ? 'jp-mod-accept' : 'jp-mod-reject'}`}
      autoFocus={isDefault}
      onClick={() => answer(chosen)}
    >
      <div className="jp-Dialog-buttonLabel">{label}</div>
    </button>
  );
  return (
    <>
      <div className="jp-Dialog-header" id="jp-mlinfn-modal-title">
        {trans.__('This server is about to stop')}
      </div>
      <div className="jp-Dialog-body">
        <Countdown model={model} end={end} trans={trans} />
        <div id="jp-mlinfn-modal-text">
          <p>
            {extendable
              ? trans.__(
                  'It stops at %1 unless it is used.',
                  formatClock(Date.parse(end), model.now)
                )
              : trans.__(
                  'It stops at %1, used or not.',
                  formatClock(Date.parse(end), model.now)
                )}{' '}
            {reason}
          </p>
          {describeBusy(model.answer, model.now, trans).map(sentence => (
            <p key={sentence} className="jp-mlinfn-warning">
              {sentence}
            </p>
          ))}
          <p>
            {trans.__(
              'Documents are saved before. Kernels and terminals end, with all their variables.'
            )}
          </p>
          <p className="jp-mlinfn-hint">{aboutOutputs(trans)}</p>
        </div>
        {problem && (
          <p className="jp-mlinfn-Error" role="alert">
            {problem}
          </p>
        )}
      </div>
      <div className="jp-Dialog-footer jp-mlinfn-Modal-footer">
        {button('why', trans.__('Why?'))}
        {button('stop', trans.__('Save and stop now'))}
        {extendable
          ? button('keep', trans.__('Keep for…'))
          : button('later', trans.__('Go on working'), true)}
        {extendable && button('here', trans.__("I'm still here"), true)}
      </div>
    </>
  );
}

/**
 * What is left: it changes once a second, and nothing else moves.
 */
export function Countdown(props: {
  model: IdleModel;
  end: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, end, trans } = props;
  const [left, setLeft] = useState(() => model.secondsUntil(end));
  useEffect(() => {
    const look = (): void => {
      setLeft(model.secondsUntil(end));
      model.noticeSleep();
    };
    look();
    const timer = setInterval(look, 250);
    return () => clearInterval(timer);
  }, [model, end]);
  const told = TOLD_AT.filter(seconds => seconds >= left).pop();
  return (
    <>
      <p className="jp-mlinfn-Modal-clock" role="timer" aria-live="off">
        {formatCountdown(left)}
      </p>
      <p className="jp-mlinfn-sr" aria-live="assertive">
        {told !== undefined &&
          trans.__('Less than %1 left.', inLength(told, trans))}
      </p>
    </>
  );
}
