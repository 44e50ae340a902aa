import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React from 'react';

import { useSignal } from '../hooks';
import { hourglassIcon } from '../icons';
import { StatusItem } from '../statusItem';
import { IdleModel } from './model';
import { formatClock } from './words';

/**
 * The status bar item, there only when the end is near: stops at 14:30 unless used
 */
export class IdleStatus extends StatusItem {
  constructor(model: IdleModel, open: () => void, trans: TranslationBundle) {
    super();
    this._model = model;
    this._open = open;
    this._trans = trans;
    this.addClass('jp-mlinfn-IdleStatus');
    model.changed.connect(this.onChanged, this);
  }

  get isActive(): boolean {
    const { end, isEnding, warning } = this._model;
    // Once it is gone the room of the session tells.
    return end === null && (warning !== null || isEnding);
  }

  protected render(): JSX.Element {
    return <Status model={this._model} open={this._open} trans={this._trans} />;
  }

  private _model: IdleModel;
  private _open: () => void;
  private _trans: TranslationBundle;
}

export function Status(props: {
  model: IdleModel;
  open: () => void;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { model, open, trans } = props;
  useSignal(model.changed);
  const text = describe(model, trans);
  if (text === '') {
    return null;
  }
  return (
    <Button
      minimal
      className="jp-mlinfn-IdleStatus-button"
      title={[
        model.warning?.reason ?? '',
        trans.__('Click to see why, and what counts as use.')
      ]
        .filter(part => part)
        .join('\n')}
      onClick={open}
    >
      <hourglassIcon.react tag="span" width="14px" height="14px" />
      {text}
    </Button>
  );
}

function describe(model: IdleModel, trans: TranslationBundle): string {
  const { end, answer, warning } = model;
  if (end !== null) {
    return '';
  }
  if (answer?.phase === 'saving') {
    return trans.__('saving, then it stops');
  }
  if (answer?.phase === 'rescuing') {
    return trans.__('keeping files, then it stops');
  }
  if (answer?.phase === 'stopping') {
    return trans.__('is being stopped');
  }
  if (warning === null) {
    return '';
  }
  const time = formatClock(Date.parse(warning.stops_at), model.now);
  return warning.extendable
    ? trans.__('stops at %1 unless used', time)
    : trans.__('stops at %1', time);
}
