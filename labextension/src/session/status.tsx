import { TranslationBundle } from '@jupyterlab/translation';
import { Button, ReactWidget } from '@jupyterlab/ui-components';
import React from 'react';

import { useSignal } from '../hooks';
import { leafIcon } from '../icons';
import { SessionModel } from './model';
import { Parting } from './parting';
import { inList } from './words';

export interface IStatusProps {
  model: SessionModel;
  parting: Parting;
  /** Ask what to free. */
  open: () => void;
  /** Call off a stop that waits. */
  callOff: () => void;
  trans: TranslationBundle;
}

/**
 * The status bar item, always there: Free; stops when train.ipynb finishes; stopped
 */
export class SessionStatus extends ReactWidget {
  constructor(props: IStatusProps) {
    super();
    this._props = props;
    this.addClass('jp-mlinfn-SessionStatus');
  }

  protected render(): JSX.Element {
    return <Status {...this._props} />;
  }

  private _props: IStatusProps;
}

export function Status(props: IStatusProps): JSX.Element {
  const { model, parting, open, callOff, trans } = props;
  useSignal(parting.changed);
  const stop = model.answer?.stop ?? null;
  const isWaiting = stop?.phase === 'waiting' && !parting.isParting;
  const text = parting.isParting
    ? parting.isGone
      ? trans.__('Server stopped')
      : trans.__('Stopping')
    : isWaiting
      ? trans.__('stops when %1 finishes', inList(stop.waits_for, trans, 1))
      : trans.__('Free');
  const title = parting.isParting
    ? trans.__('Show what was saved, and how to start again')
    : isWaiting
      ? trans.__(
          'This server stops when what is running now has finished: %1. Click to see what would be lost.',
          stop.waits_for.join(', ')
        )
      : trans.__(
          'Free resources: see what this server holds and what would be lost, and give it back'
        );
  return (
    <>
      <Button
        minimal
        className="jp-mlinfn-SessionStatus-button"
        title={title}
        onClick={parting.isParting ? () => parting.show() : open}
      >
        <leafIcon.react tag="span" width="14px" height="14px" />
        <span className="jp-mlinfn-SessionStatus-text">{text}</span>
      </Button>
      {isWaiting && (
        <Button
          minimal
          className="jp-mlinfn-SessionStatus-button jp-mlinfn-SessionStatus-cancel"
          title={trans.__('Do not stop this server')}
          onClick={callOff}
        >
          {trans.__('Cancel')}
        </Button>
      )}
    </>
  );
}
