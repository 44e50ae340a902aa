import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { formatClock } from '../idle/words';
import { Connection } from './connection';

/** Seconds without an answer that nobody needs to hear of. */
const BLIP = 2;

/**
 * Says that the server cannot be reached, in a notification that goes by itself.
 *
 * A missing network is no stop: nothing is claimed but that.
 */
export class Interruption {
  constructor(connection: Connection, trans: TranslationBundle) {
    this._connection = connection;
    this._trans = trans;
    connection.changed.connect(this._onChanged, this);
  }

  private _onChanged(): void {
    const { contact, failing, isOnline } = this._connection;
    if (contact !== 'interrupted') {
      this._wasTold = '';
      if (this._id !== '') {
        Notification.dismiss(this._id);
        this._id = '';
      }
      return;
    }
    const since = Date.now() - failing * 1000;
    const message = describe(isOnline, since, this._trans);
    if (failing < BLIP || message === this._wasTold) {
      return;
    }
    const options = {
      autoClose: false as const,
      actions: [
        {
          label: this._trans.__('Try now'),
          callback: (event: MouseEvent) => {
            event.preventDefault();
            void this._connection.lookNow();
          }
        }
      ]
    };
    // Who has dismissed it knows.
    if (this._wasTold === '') {
      this._id = Notification.emit(message, 'info', options);
    } else {
      Notification.update({ id: this._id, message, ...options });
    }
    this._wasTold = message;
  }

  private _connection: Connection;
  private _trans: TranslationBundle;
  private _id = '';
  private _wasTold = '';
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
      'What you type stays in this page, and is saved when there is a connection again. Kernels go on meanwhile.'
    )
  ].join(' ');
}
