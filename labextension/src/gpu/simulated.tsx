import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

/**
 * Stands wherever figures are that no GPU has reported.
 */
export function Simulated(props: { trans: TranslationBundle }): JSX.Element {
  const { trans } = props;
  return (
    <span
      className="jp-mlinfn-Tag jp-mod-warn"
      title={trans.__('No GPU is real here: the driver is a simulation.')}
    >
      {trans.__('simulated')}
    </span>
  );
}
