import React from 'react';

import { IGpuState } from './api';
import { IMemory } from './model';

export type Level = 'ok' | 'warn' | 'error';

/**
 * How alarming a device's memory is. That it is nearly full is for the server
 * to say; of several devices those are meant that really are.
 */
export function levelOf(state: IGpuState | null, memory: IMemory): Level {
  const { free, total } = memory;
  // What the driver keeps for itself is neither used nor free.
  const taken =
    free !== null && total ? 1 - free / total : (shareOf(memory) ?? 0);
  if (state?.kind !== 'memory_low' || taken < 0.8) {
    return 'ok';
  }
  return taken >= 0.97 ? 'error' : 'warn';
}

/**
 * The used part, between 0 and 1; null where it is not reported.
 */
export function shareOf({ used, total }: IMemory): number | null {
  return used === null || total === null || total <= 0
    ? null
    : Math.min(Math.max(used / total, 0), 1);
}

/**
 * The used part as a bar. It is a picture only: the figures stand beside it.
 */
export function MemoryBar(props: {
  memory: IMemory;
  level: Level;
}): JSX.Element | null {
  const share = shareOf(props.memory);
  return share === null ? null : (
    <span
      className="jp-mlinfn-MemoryBar"
      data-level={props.level}
      aria-hidden="true"
    >
      <span style={{ width: `${Math.round(share * 1000) / 10}%` }} />
    </span>
  );
}
