import { ISignal } from '@lumino/signaling';
import { DependencyList, useEffect, useReducer, useState } from 'react';

import { isAborted, MlinfnError } from './api';

/**
 * Render again whenever the signal is emitted.
 *
 * Unlike a VDomRenderer this renders within the event that caused the change:
 * a controlled input keeps its caret.
 */
export function useSignal(signal: ISignal<any, any>): void {
  const [, render] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    signal.connect(render);
    // Something may have changed between rendering and connecting.
    render();
    return () => {
      signal.disconnect(render);
    };
  }, [signal]);
}

/**
 * What was read, and why the last attempt failed: `value` stays while it is read again.
 */
export interface IFetched<T> {
  value: T | null;
  error: MlinfnError | null;
}

/**
 * Read something now and whenever one of `dependencies` is another; the answer to
 * an earlier question never replaces that to a later one.
 */
export function useFetched<T>(
  read: (signal: AbortSignal) => Promise<T>,
  dependencies: DependencyList
): IFetched<T> {
  const [fetched, setFetched] = useState<IFetched<T>>({
    value: null,
    error: null
  });
  useEffect(() => {
    const abort = new AbortController();
    read(abort.signal).then(
      value => {
        if (!abort.signal.aborted) {
          setFetched({ value, error: null });
        }
      },
      thrown => {
        if (!abort.signal.aborted && !isAborted(thrown)) {
          const error = MlinfnError.from(thrown);
          setFetched(({ value }) => ({ value, error }));
        }
      }
    );
    return () => abort.abort();
  }, dependencies);
  return fetched;
}
