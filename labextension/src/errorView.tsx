import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { IErrorBody, MlinfnError } from './api';

/**
 * What failed, why, and what to do; `children` are buttons.
 */
export function ErrorView(props: {
  error: MlinfnError | IErrorBody;
  trans: TranslationBundle;
  children?: React.ReactNode;
}): JSX.Element {
  const { error, trans, children } = props;
  const told = inWords(error, trans);
  return (
    <div className="jp-mlinfn-Error" role="alert">
      <p className="jp-mlinfn-Error-message">{told.message}</p>
      {told.reason && (
        <pre className="jp-mlinfn-Error-reason">{told.reason}</pre>
      )}
      {told.hint && <p className="jp-mlinfn-Error-hint">{told.hint}</p>}
      {children}
    </div>
  );
}

/**
 * The error's texts; what only the page knows is said here.
 */
export function inWords(
  error: MlinfnError | IErrorBody,
  trans: TranslationBundle
): { message: string; reason: string; hint: string } {
  if (error instanceof MlinfnError && error.isNetwork) {
    return {
      message: trans.__('The server does not answer.'),
      reason: error.message,
      hint: trans.__('This page goes on by itself as soon as it answers again.')
    };
  }
  return {
    message: error.message,
    reason: error.reason ?? '',
    hint: error.hint ?? ''
  };
}
