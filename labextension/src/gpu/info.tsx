import { TranslationBundle } from '@jupyterlab/translation';
import { Button, infoIcon } from '@jupyterlab/ui-components';
import React, { useId, useState } from 'react';

/**
 * A line with a small (i) that opens what explains it.
 */
export function Explained(props: {
  explanation: string;
  /** What is explained, for those who cannot see what it stands beside. */
  about: string;
  trans: TranslationBundle;
  children: React.ReactNode;
}): JSX.Element {
  const { explanation, about, trans, children } = props;
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  const label = trans.__('What this means: %1', about);
  return (
    <>
      <p className="jp-mlinfn-Gpu-line">
        {children}{' '}
        <Button
          minimal
          small
          className="jp-mlinfn-Gpu-info"
          title={label}
          aria-label={label}
          aria-expanded={isOpen}
          aria-controls={id}
          onClick={() => setOpen(!isOpen)}
        >
          <infoIcon.react tag="span" width="14px" height="14px" />
        </Button>
      </p>
      <p id={id} className="jp-mlinfn-hint" hidden={!isOpen}>
        {explanation}
      </p>
    </>
  );
}
