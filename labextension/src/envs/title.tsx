import { TranslationBundle } from '@jupyterlab/translation';
import { Button, editIcon } from '@jupyterlab/ui-components';
import React, { useEffect, useRef, useState } from 'react';

import { MlinfnError } from '../api';
import { ErrorView } from '../errorView';
import { PLAIN } from '../jobs/jobView';
import { IEnvironment } from './api';

/**
 * The label, which can be changed in place.
 */
export function Title(props: {
  environment: IEnvironment;
  relabel: (label: string) => Promise<void>;
  trans: TranslationBundle;
}): JSX.Element {
  const { environment, relabel, trans } = props;
  const [text, setText] = useState<string | null>(null);
  const [error, setError] = useState<MlinfnError | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const isEditing = text !== null;
  useEffect(() => input.current?.select(), [isEditing]);

  const save = async (): Promise<void> => {
    const label = (text ?? '').trim();
    try {
      if (label !== '' && label !== environment.label) {
        await relabel(label);
      }
      setText(null);
      setError(null);
    } catch (thrown) {
      setError(MlinfnError.from(thrown));
    }
  };

  if (!isEditing) {
    return (
      <div className="jp-mlinfn-Details-title">
        <h2 id="jp-mlinfn-details">{environment.label}</h2>
        {environment.origin === 'private' && (
          <Button
            minimal
            small
            title={trans.__('Change the label')}
            aria-label={trans.__('Change the label')}
            onClick={() => setText(environment.label)}
          >
            <editIcon.react tag="span" width="14px" height="14px" />
          </Button>
        )}
        {environment.label !== environment.name && (
          <span className="jp-mlinfn-hint">{environment.name}</span>
        )}
      </div>
    );
  }
  return (
    <form
      className="jp-mlinfn-Details-title"
      onSubmit={event => {
        event.preventDefault();
        void save();
      }}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          setText(null);
          setError(null);
        }
      }}
    >
      <input
        ref={input}
        id="jp-mlinfn-details"
        className="jp-mod-styled"
        type="text"
        maxLength={100}
        aria-label={trans.__('Label')}
        autoFocus
        value={text}
        onChange={event => setText(event.currentTarget.value)}
      />
      <Button type="submit" className={PLAIN} disabled={text.trim() === ''}>
        {trans.__('Save')}
      </Button>
      <Button
        className={PLAIN}
        onClick={() => {
          setText(null);
          setError(null);
        }}
      >
        {trans.__('Cancel')}
      </Button>
      {error && <ErrorView error={error} trans={trans} />}
    </form>
  );
}
