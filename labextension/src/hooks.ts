import { ISignal } from '@lumino/signaling';
import { useEffect, useReducer } from 'react';

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
