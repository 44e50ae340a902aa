import { TranslationBundle } from '@jupyterlab/translation';
import React, { useEffect, useLayoutEffect, useMemo, useRef } from 'react';

import { ErrorView } from '../errorView';
import { useSignal } from '../hooks';
import { JobsApi } from './api';
import { LogModel, MAX_LINES } from './log';

/**
 * The log of a job; it follows the end unless the user has scrolled up.
 */
export function LogView(props: {
  api: JobsApi;
  jobId: string;
  running: boolean;
  trans: TranslationBundle;
}): JSX.Element {
  const { api, jobId, running, trans } = props;
  const model = useMemo(
    () => new LogModel(offset => api.log(jobId, offset)),
    [api, jobId]
  );
  useEffect(() => () => model.dispose(), [model]);
  useEffect(() => model.follow(running), [model, running]);
  useSignal(model.changed);

  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const { lines, error, isLoaded } = model;
  useLayoutEffect(() => {
    if (box.current && atEnd.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  });

  return (
    <div
      ref={box}
      className="jp-mlinfn-Log"
      role="log"
      aria-live="off"
      aria-label={trans.__('Log')}
      tabIndex={0}
      onScroll={event => {
        const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
        atEnd.current = scrollHeight - scrollTop - clientHeight < 8;
      }}
    >
      {error && <ErrorView error={error} trans={trans} />}
      {isLoaded && lines.length === 0 && (
        <p className="jp-mlinfn-hint">
          {running ? trans.__('Nothing yet.') : trans.__('The log is empty.')}
        </p>
      )}
      {lines.length === MAX_LINES && (
        <p className="jp-mlinfn-hint">
          {trans.__('Older lines are left out.')}
        </p>
      )}
      {lines.map((line, index) => (
        <div key={index} className="jp-mlinfn-Log-line">
          <time dateTime={line.time}>
            {new Date(line.time).toLocaleTimeString()}
          </time>
          <span>{line.text}</span>
        </div>
      ))}
    </div>
  );
}
