import { TranslationBundle } from '@jupyterlab/translation';
import { Button, ReactWidget } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import React from 'react';

import { formatClock } from '../idle/words';
import { Connection } from './connection';

/** Seconds without an answer that nobody needs to hear of. */
const BLIP = 2;

/**
 * Says that the server cannot be reached, in a small card that goes by itself.
 *
 * A missing network is no stop: nothing is claimed but that. It is none of
 * JupyterLab's notifications, for their code is loaded when the first is shown:
 * from the server that cannot be reached.
 */
export class Interruption {
  constructor(connection: Connection, trans: TranslationBundle) {
    this._connection = connection;
    this._trans = trans;
    connection.changed.connect(this._onChanged, this);
  }

  private _onChanged(): void {
    const { contact, failing } = this._connection;
    if (contact !== 'interrupted') {
      this._card?.dispose();
      this._card = null;
      this._isHidden = false;
    } else if (failing >= BLIP && this._card === null && !this._isHidden) {
      const hide = (): void => {
        this._isHidden = true;
        this._card?.dispose();
        this._card = null;
      };
      this._card = new Card(this._connection, hide, this._trans);
      Widget.attach(this._card, document.body);
    } else {
      this._card?.update();
    }
  }

  private _connection: Connection;
  private _trans: TranslationBundle;
  private _card: Card | null = null;
  /** Who has closed it knows. */
  private _isHidden = false;
}

class Card extends ReactWidget {
  constructor(
    connection: Connection,
    hide: () => void,
    trans: TranslationBundle
  ) {
    super();
    this._connection = connection;
    this._hide = hide;
    this._trans = trans;
    this._since = Date.now() - connection.failing * 1000;
    this.addClass('jp-mlinfn-Interruption');
    this.addClass('jp-ThemedContainer');
    this.node.setAttribute('role', 'status');
  }

  protected render(): JSX.Element {
    const { isLooking, isOnline } = this._connection;
    const trans = this._trans;
    return (
      <>
        <p>{describe(isOnline, this._since, trans)}</p>
        <div className="jp-mlinfn-Interruption-buttons">
          <Button
            small
            aria-disabled={isLooking}
            onClick={() => void this._connection.lookNow()}
          >
            {trans.__('Try now')}
          </Button>
          <Button small onClick={this._hide}>
            {trans.__('Hide')}
          </Button>
        </div>
      </>
    );
  }

  private _connection: Connection;
  private _hide: () => void;
  private _trans: TranslationBundle;
  private _since: number;
}

/**
 * @param since milliseconds since the epoch
 */
export function describe(
  isOnline: boolean,
  since: number,
  trans: TranslationBundle
): string {
  return [
    isOnline
      ? trans.__(
          'The server has not been reached since %1.',
          formatClock(since, Date.now())
        )
      : trans.__('This computer has no network.'),
    trans.__(
      'What you type stays in this page, and can be saved when there is a connection again. Kernels go on meanwhile.'
    )
  ].join(' ');
}
