import { TranslationBundle } from '@jupyterlab/translation';
import { checkIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { cautionIcon } from '../icons';
import { ILine } from './lines';

/**
 * One line of what would be lost: it has its place from the beginning, and what
 * is found fills it.
 */
export function Line(props: {
  /** For tests and styles. */
  name: string;
  line: ILine;
  trans: TranslationBundle;
  /** What can be done about it. */
  children?: React.ReactNode;
}): JSX.Element {
  const { name, line, trans, children } = props;
  return (
    <li
      className="jp-mlinfn-Session-line"
      data-line={name}
      data-state={line.state}
    >
      <Mark state={line.state} trans={trans} />
      <div className="jp-mlinfn-Session-what">
        <div>{line.text}</div>
        <div className="jp-mlinfn-Session-detail" title={line.all || undefined}>
          {line.detail}
        </div>
      </div>
      <div className="jp-mlinfn-Session-act">{children}</div>
    </li>
  );
}

export function Mark(props: {
  state: ILine['state'];
  trans: TranslationBundle;
}): JSX.Element {
  const { state, trans } = props;
  return (
    <span className="jp-mlinfn-Session-mark" data-state={state}>
      {state === 'fine' ? (
        <checkIcon.react tag="span" width="16px" height="16px" />
      ) : state === 'warn' ? (
        <>
          <cautionIcon.react tag="span" width="16px" height="16px" />
          <span className="jp-mlinfn-sr">{trans.__('Attention:')}</span>
        </>
      ) : (
        <span className="jp-mlinfn-Session-dots" aria-hidden="true">
          …
        </span>
      )}
    </span>
  );
}
