import { Dialog, ReactWidget, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { IdleModel } from './model';
import { describeBusy } from './words';

/**
 * Ask before this server is stopped: variables cannot be brought back.
 */
export async function confirmStop(
  model: IdleModel,
  trans: TranslationBundle
): Promise<boolean> {
  const busy =
    model.answer === null ? [] : describeBusy(model.answer, model.now, trans);
  const { button } = await showDialog({
    title: trans.__('Save and stop this server?'),
    body: ReactWidget.create(
      <div className="jp-mlinfn-RemoveDialog">
        {busy.map(sentence => (
          <p key={sentence} className="jp-mlinfn-warning">
            {trans.__('%1 That is broken off.', sentence)}
          </p>
        ))}
        <p>
          {trans.__(
            'All open pages save their documents first. Then kernels and terminals end: their variables are lost.'
          )}
        </p>
      </div>
    ),
    // Cancel is what Enter presses: this cannot be undone.
    defaultButton: 0,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Save and Stop') })
    ]
  });
  return button.accept;
}
