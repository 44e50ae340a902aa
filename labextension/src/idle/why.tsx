import { ReactWidget } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React, { useState } from 'react';

import { useSignal } from '../hooks';
import { IIdleAnswer, IIdleDeadline, IIdleSignal } from './api';
import { DesktopNotices } from './desktop';
import { IdleModel } from './model';
import {
  aboutOutputs,
  describeBusy,
  describeDeadline,
  describeSignal,
  formatClock,
  inLength,
  outlook
} from './words';

/**
 * What counts as use and when it was, and all that stops this server.
 */
export class Why extends ReactWidget {
  constructor(
    model: IdleModel,
    desktop: DesktopNotices,
    trans: TranslationBundle
  ) {
    super();
    this._model = model;
    this._desktop = desktop;
    this._trans = trans;
  }

  protected render(): JSX.Element {
    return (
      <WhyBody
        model={this._model}
        desktop={this._desktop}
        trans={this._trans}
      />
    );
  }

  private _model: IdleModel;
  private _desktop: DesktopNotices;
  private _trans: TranslationBundle;
}

export function WhyBody(props: {
  model: IdleModel;
  desktop: DesktopNotices;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { model, desktop, trans } = props;
  useSignal(model.changed);
  const { answer, now } = model;
  if (answer === null) {
    return null;
  }
  return (
    <div className="jp-mlinfn-Why">
      <p className="jp-mlinfn-Why-outlook">
        {outlook(answer, now, trans)} {answer.warning?.reason}
      </p>
      {answer.kept_until !== null && (
        <p>
          {trans.__(
            'Somebody asked to keep it until %1.',
            formatClock(Date.parse(answer.kept_until), now)
          )}
        </p>
      )}
      {describeBusy(answer, now, trans).map(sentence => (
        <p key={sentence}>{sentence}</p>
      ))}
      <h3>{trans.__('What counts as use')}</h3>
      <table className="jp-mlinfn-Table">
        <tbody>
          {answer.signals.map(signal => (
            <SignalRow
              key={signal.source}
              signal={signal}
              now={now}
              trans={trans}
            />
          ))}
        </tbody>
      </table>
      <p className="jp-mlinfn-hint">
        {trans.__(
          'Not counted: open tabs, kernels that wait, GPU memory that is only held, clocks in terminals.'
        )}
      </p>
      <h3>{trans.__('What stops it')}</h3>
      {answer.deadlines.length === 0 ? (
        <p>{trans.__('Nothing.')}</p>
      ) : (
        <table className="jp-mlinfn-Table">
          <tbody>
            {answer.deadlines.map((deadline, index) => (
              <DeadlineRow
                key={index}
                deadline={deadline}
                now={now}
                trans={trans}
              />
            ))}
          </tbody>
        </table>
      )}
      <h3>{trans.__('Who is told')}</h3>
      <Told answer={answer} desktop={desktop} now={now} trans={trans} />
      <p className="jp-mlinfn-hint">{aboutOutputs(trans)}</p>
    </div>
  );
}

function SignalRow(props: {
  signal: IIdleSignal;
  now: number;
  trans: TranslationBundle;
}): JSX.Element {
  const { signal, now, trans } = props;
  const { counts, detail, source, time } = signal;
  return (
    <tr data-counts={counts}>
      <th scope="row">{describeSignal(source, trans)}</th>
      <td className="jp-mlinfn-Why-time">
        {time === null ? trans.__('never') : ago(Date.parse(time), now, trans)}
      </td>
      <td>
        {[detail, counts ? '' : trans.__('Does not count on this platform.')]
          .filter(part => part)
          .join(' ')}
      </td>
    </tr>
  );
}

function DeadlineRow(props: {
  deadline: IIdleDeadline;
  now: number;
  trans: TranslationBundle;
}): JSX.Element {
  const { deadline, now, trans } = props;
  const { certainty, detail, extendable, time } = deadline;
  return (
    <tr>
      <th scope="row">{describeDeadline(deadline, trans)}</th>
      <td className="jp-mlinfn-Why-time">
        {certainty === 'estimate'
          ? trans.__('about %1', formatClock(Date.parse(time), now))
          : formatClock(Date.parse(time), now)}
      </td>
      <td>
        {[
          detail,
          extendable
            ? trans.__('Use moves it.')
            : trans.__('Use does not move it.')
        ]
          .filter(part => part)
          .join(' ')}
      </td>
    </tr>
  );
}

/**
 * Where a warning is told; the offer to tell it on the desktop is a click of
 * the user's, which is when a browser may ask.
 */
function Told(props: {
  answer: IIdleAnswer;
  desktop: DesktopNotices;
  now: number;
  trans: TranslationBundle;
}): JSX.Element {
  const { answer, desktop, now, trans } = props;
  const [canAsk, setCanAsk] = useState(desktop.canAsk);
  const { configured, sent } = answer.mail;
  const before = answer.policy.warnings.map(seconds =>
    inLength(seconds, trans)
  );
  return (
    <>
      <p>
        {before.length > 0 &&
          trans.__('Open pages tell it %1 before.', before.join(', '))}{' '}
        {sent !== null
          ? trans.__(
              'A message was sent to you at %1.',
              formatClock(Date.parse(sent), now)
            )
          : configured
            ? trans.__('Where no page shows it, a message is sent to you.')
            : ''}
      </p>
      {canAsk && (
        <Button
          small
          onClick={() => void desktop.ask().then(() => setCanAsk(false))}
        >
          {trans.__('Tell me on the desktop when this tab is hidden')}
        </Button>
      )}
    </>
  );
}

function ago(time: number, now: number, trans: TranslationBundle): string {
  const seconds = (now - time) / 1000;
  return seconds < 60
    ? trans.__('just now')
    : trans.__('%1, %2 ago', formatClock(time, now), inLength(seconds, trans));
}
