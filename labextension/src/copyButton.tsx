import { Clipboard } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { Button, copyIcon } from '@jupyterlab/ui-components';
import React, { useState } from 'react';

/**
 * Puts a text on the clipboard and says so; `label` says what is copied.
 */
export function CopyButton(props: {
  text: string;
  label: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { text, label, trans } = props;
  const [copied, setCopied] = useState(false);
  return (
    <Button
      minimal
      small
      title={label}
      aria-label={label}
      onBlur={() => setCopied(false)}
      onClick={() => {
        Clipboard.copyToSystem(text);
        setCopied(true);
      }}
    >
      {copied ? (
        <span role="status">{trans.__('copied')}</span>
      ) : (
        <copyIcon.react tag="span" width="14px" height="14px" />
      )}
    </Button>
  );
}
