import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import React, { useState } from 'react';

import { IdleModel } from './model';
import { aboutOutputs, formatClock, inLength } from './words';

const HOUR = 3600;

/**
 * Lengths to choose from, in seconds: never longer than is allowed.
 */
export function choices(longest: number): number[] {
  const usual = [HOUR, 2 * HOUR, 4 * HOUR].filter(each => each <= longest);
  return usual.length > 0 ? usual : [Math.floor(longest)];
}

/**
 * Seconds until a time of the day comes next.
 *
 * @param clock as an input of type time gives it: 17:30
 * @param now milliseconds since the epoch
 * @returns null where it is no time
 */
export function secondsUntilClock(clock: string, now: number): number | null {
  const match = /^(\d\d):(\d\d)/.exec(clock);
  if (match === null) {
    return null;
  }
  const time = new Date(now);
  time.setHours(Number(match[1]), Number(match[2]), 0, 0);
  if (time.getTime() <= now) {
    time.setDate(time.getDate() + 1);
  }
  return Math.round((time.getTime() - now) / 1000);
}

/**
 * Ask how long this server is to be kept.
 *
 * @returns seconds; null where it was given up
 */
export async function askHowLong(
  model: IdleModel,
  trans: TranslationBundle
): Promise<number | null> {
  const body = new HowLong(model, trans);
  const dialog = new Dialog<number | null>({
    title: trans.__('Keep this server'),
    body,
    focusNodeSelector: 'input:checked',
    defaultButton: 1,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.okButton({ label: trans.__('Keep') })
    ]
  });
  const accept = dialog.node.querySelector<HTMLButtonElement>('.jp-mod-accept');
  body.onChange = () => {
    if (accept) {
      accept.disabled = body.getValue() === null;
    }
  };
  const result = await dialog.launch();
  return result.button.accept ? (result.value ?? null) : null;
}

class HowLong extends ReactWidget implements Dialog.IBodyWidget<number | null> {
  constructor(model: IdleModel, trans: TranslationBundle) {
    super();
    this._model = model;
    this._trans = trans;
    this._seconds = choices(longestOf(model))[0];
  }

  onChange: () => void = () => undefined;

  getValue(): number | null {
    return this._seconds;
  }

  protected render(): JSX.Element {
    return (
      <KeepBody
        model={this._model}
        choose={seconds => {
          this._seconds = seconds;
          this.onChange();
        }}
        trans={this._trans}
      />
    );
  }

  private _model: IdleModel;
  private _trans: TranslationBundle;
  private _seconds: number | null;
}

/**
 * For how long; `choose` is told of every change, null for what cannot be.
 */
export function KeepBody(props: {
  model: IdleModel;
  choose: (seconds: number | null) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, choose, trans } = props;
  const longest = longestOf(model);
  const offered = choices(longest);
  const [chosen, setChosen] = useState<number | 'until'>(offered[0]);
  const [clock, setClock] = useState('');
  const until = secondsUntilClock(clock, model.now);
  const isTooLong = until !== null && until > longest;
  const seconds = chosen === 'until' ? (isTooLong ? null : until) : chosen;
  const pick = (next: number | 'until', at: string): void => {
    setChosen(next);
    setClock(at);
    const wanted = next === 'until' ? secondsUntilClock(at, model.now) : next;
    choose(wanted !== null && wanted <= longest ? wanted : null);
  };
  const latest = formatClock(model.now + longest * 1000, model.now);
  return (
    <div className="jp-mlinfn-RemoveDialog jp-mlinfn-Keep">
      <fieldset>
        <legend className="jp-mlinfn-sr">{trans.__('For how long')}</legend>
        {offered.map(each => (
          <label key={each}>
            <input
              type="radio"
              name="jp-mlinfn-keep"
              checked={chosen === each}
              onChange={() => pick(each, clock)}
            />
            {inLength(each, trans)}
          </label>
        ))}
        <label>
          <input
            type="radio"
            name="jp-mlinfn-keep"
            checked={chosen === 'until'}
            onChange={() => pick('until', clock)}
          />
          {trans.__('until')}
          <input
            type="time"
            className="jp-mod-styled"
            aria-label={trans.__('Time of the day')}
            value={clock}
            onChange={event => pick('until', event.target.value)}
          />
        </label>
      </fieldset>
      <p aria-live="polite">
        {seconds !== null
          ? trans.__(
              'This server is kept until %1, used or not.',
              formatClock(model.now + seconds * 1000, model.now)
            )
          : isTooLong
            ? trans.__(
                'It can be kept until %1 at most; ask again later.',
                latest
              )
            : trans.__('Choose a time, %1 at the latest.', latest)}
      </p>
      <p className="jp-mlinfn-hint">{aboutOutputs(trans)}</p>
    </div>
  );
}

function longestOf(model: IdleModel): number {
  return model.answer?.policy.longest_keep_alive ?? HOUR;
}
