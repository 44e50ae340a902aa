import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React, { useState } from 'react';

import { PLAIN } from '../jobs/jobView';
import { IDrift } from './changesApi';
import { describeDrift, Diff } from './diff';

/**
 * What was changed outside, and the way back.
 */
export function DriftBanner(props: {
  drift: IDrift;
  revision: number | null;
  /** Go back to a revision; undefined while that cannot be done. */
  undo?: (revision: number) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { drift, revision, undo, trans } = props;
  const [isOpen, setOpen] = useState(false);
  return (
    <div className="jp-mlinfn-Notice" role="status" data-testid="drift">
      <p>{describeDrift(drift, trans)}</p>
      <div className="jp-mlinfn-buttons">
        <Button
          className={PLAIN}
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        >
          {isOpen ? trans.__('Hide') : trans.__('Show')}
        </Button>
        {revision !== null && (
          <Button
            className={PLAIN}
            disabled={undo === undefined}
            onClick={() => undo?.(revision)}
          >
            {trans.__('Undo: back to revision %1', String(revision))}
          </Button>
        )}
      </div>
      {isOpen && (
        <Diff
          packages={drift.packages}
          files={drift.files}
          isPlan={false}
          trans={trans}
        />
      )}
    </div>
  );
}
