import { PageConfig } from '@jupyterlab/coreutils';
import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { ISaved } from './api';
import { ask } from './modal';
import { IdleModel, IIdleEnd } from './model';
import { formatClock } from './words';

/**
 * A calm word once the server is gone, in place of errors; it goes when the
 * server answers again.
 *
 * @param saved what this page has saved before; null where it was not asked to
 */
export async function tellStopped(
  model: IdleModel,
  saved: ISaved | null,
  trans: TranslationBundle
): Promise<void> {
  const { end } = model;
  if (end === null) {
    return;
  }
  const again = await ask<boolean>({
    render: answer => (
      <Stopped
        end={end}
        now={model.now}
        saved={saved}
        canStart={PageConfig.getOption('hubPrefix') !== ''}
        answer={answer}
        trans={trans}
      />
    ),
    cancelled: false,
    changed: model.changed,
    isPointless: () => model.end === null,
    otherwise: false
  });
  if (again) {
    // The hub offers to start it.
    window.location.reload();
  }
}

export function Stopped(props: {
  end: IIdleEnd;
  /** Milliseconds since the epoch. */
  now: number;
  saved: ISaved | null;
  canStart: boolean;
  answer: (again: boolean) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { end, now, saved, canStart, answer, trans } = props;
  const time = formatClock(end.at, now);
  return (
    <>
      <div className="jp-Dialog-header" id="jp-mlinfn-modal-title">
        {end.begun
          ? trans.__('This server was stopped')
          : trans.__('This server does not answer any more')}
      </div>
      <div className="jp-Dialog-body">
        <div id="jp-mlinfn-modal-text">
          <p>
            {end.asked
              ? trans.__('You asked for it at %1.', time)
              : [
                  end.begun
                    ? trans.__('It was stopped at %1.', time)
                    : trans.__('It was to be stopped at %1.', time),
                  end.reason
                ].join(' ')}
          </p>
          <Documents saved={saved} trans={trans} />
          <p>
            {trans.__(
              'Files in your storage are still there. What this page shows is what it had last.'
            )}
          </p>
        </div>
      </div>
      <div className="jp-Dialog-footer jp-mlinfn-Modal-footer">
        <button
          className="jp-Dialog-button jp-mod-styled jp-mod-reject"
          autoFocus={!canStart}
          onClick={() => answer(false)}
        >
          <div className="jp-Dialog-buttonLabel">{trans.__('Look around')}</div>
        </button>
        {canStart && (
          <button
            className="jp-Dialog-button jp-mod-styled jp-mod-accept"
            autoFocus
            onClick={() => answer(true)}
          >
            <div className="jp-Dialog-buttonLabel">
              {trans.__('Start again')}
            </div>
          </button>
        )}
      </div>
    </>
  );
}

function Documents(props: {
  saved: ISaved | null;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { saved, trans } = props;
  if (saved === null) {
    return (
      <p className="jp-mlinfn-warning">
        {trans.__(
          'This page could not save before: what you changed since its last saving is in this page only.'
        )}
      </p>
    );
  }
  return (
    <>
      {saved.documents.length > 0 && (
        <p>{trans.__('Saved before: %1.', saved.documents.join(', '))}</p>
      )}
      {saved.failed.map(({ path, reason }) => (
        <p key={path} className="jp-mlinfn-warning">
          {trans.__('Not saved: %1. %2', path, reason)}
        </p>
      ))}
    </>
  );
}
