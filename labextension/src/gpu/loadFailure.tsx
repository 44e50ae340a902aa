import { TranslationBundle } from '@jupyterlab/translation';
import { Button, ReactWidget } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import React from 'react';

import { ErrorView } from '../errorView';

/**
 * Stands where the panel could not be loaded.
 */
export function loadFailure(
  reason: unknown,
  retry: () => void,
  trans: TranslationBundle
): Widget {
  const widget = ReactWidget.create(
    <ErrorView
      error={{
        message: trans.__('The GPU panel could not be loaded.'),
        reason: reason instanceof Error ? reason.message : String(reason),
        hint: trans.__(
          'The server or the network may have been away. If it stays so, reload the page: it may have been updated.'
        )
      }}
      trans={trans}
    >
      <div className="jp-mlinfn-buttons">
        <Button className="jp-mod-styled jp-mod-accept" onClick={retry}>
          {trans.__('Try again')}
        </Button>
      </div>
    </ErrorView>
  );
  widget.addClass('jp-mlinfn-Gpu');
  return widget;
}
