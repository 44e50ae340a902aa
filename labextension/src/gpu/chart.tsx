import { TranslationBundle } from '@jupyterlab/translation';
import React, { useState } from 'react';

import { IPoint } from './history';
import {
  areaPath,
  IValue,
  linePath,
  nearest,
  pieces,
  SIZE,
  spanOf,
  xOf
} from './plot';
import { formatTime } from './words';

/**
 * What is told of the whole as it was when the focus came.
 */
interface IHeld {
  end: number;
  span: number;
  summary: string;
}

/**
 * A value over the last ten minutes. Pointer and arrow keys read single values.
 */
export function Chart(props: {
  label: string;
  points: ReadonlyArray<IPoint>;
  valueOf: (point: IPoint) => number | null;
  /** What the upper edge stands for. */
  top: number;
  /** The time at the right edge. */
  end: number;
  endLabel: string;
  format: (value: number) => string;
  trans: TranslationBundle;
}): JSX.Element {
  const { label, points, valueOf, top, end, format, trans } = props;
  const [read, setRead] = useState<number | null>(null);
  const [held, setHeld] = useState<IHeld | null>(null);
  const span = spanOf(points, end);
  const scale = { end, span, top };
  const found = pieces(points, valueOf);
  const values = found.reduce((all, piece) => all.concat(piece), []);
  const chosen = read === null ? null : nearest(found, read);
  const now: IHeld = { end, span, summary: summarise(values, format, trans) };
  // What changes by itself under the focus is read aloud again and again.
  const told = chosen === null && held !== null ? held : now;

  const step = (event: React.KeyboardEvent): void => {
    const at = chosen ? values.indexOf(chosen) : values.length;
    const to: { [key: string]: number } = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      Home: 0,
      End: values.length - 1
    };
    if (event.key === 'Escape') {
      setRead(null);
      setHeld(now);
    } else if (event.key in to && values.length > 0) {
      event.preventDefault();
      const index = Math.min(Math.max(to[event.key], 0), values.length - 1);
      setRead(values[index].time);
    }
  };

  return (
    <figure className="jp-mlinfn-Chart">
      <svg
        viewBox={`0 0 ${SIZE.width} ${SIZE.height}`}
        preserveAspectRatio="none"
        role="slider"
        aria-roledescription={trans.__('chart')}
        aria-readonly="true"
        aria-label={`${label}: ${(held ?? now).summary}`}
        aria-valuemin={told.end - told.span}
        aria-valuemax={told.end}
        aria-valuenow={chosen?.time ?? told.end}
        aria-valuetext={chosen ? tell(chosen, format, trans) : told.summary}
        tabIndex={0}
        onKeyDown={step}
        onFocus={() => setHeld(now)}
        onBlur={() => {
          setRead(null);
          setHeld(null);
        }}
        onPointerMove={event => {
          const box = event.currentTarget.getBoundingClientRect();
          const share = (event.clientX - box.left) / Math.max(box.width, 1);
          setRead(end - (1 - share) * span);
        }}
        onPointerLeave={() => setRead(null)}
      >
        {found.map(piece => (
          <g key={piece[0].time}>
            <path className="jp-mlinfn-Chart-area" d={areaPath(piece, scale)} />
            <path className="jp-mlinfn-Chart-line" d={linePath(piece, scale)} />
          </g>
        ))}
        {chosen && (
          <path
            className="jp-mlinfn-Chart-cursor"
            d={`M${xOf(chosen.time, scale)} 0V${SIZE.height}`}
          />
        )}
        {chosen && (
          <path
            className="jp-mlinfn-Chart-dot"
            d={linePath([chosen, chosen], scale)}
          />
        )}
      </svg>
      <figcaption aria-hidden="true">
        {chosen ? (
          <span>{tell(chosen, format, trans)}</span>
        ) : (
          <>
            <span>{trans.__('%1 min ago', String(span / 60000))}</span>
            <span>{props.endLabel}</span>
          </>
        )}
      </figcaption>
    </figure>
  );
}

function tell(
  { time, value }: IValue,
  format: (value: number) => string,
  trans: TranslationBundle
): string {
  return trans.__('%1 at %2', format(value), formatTime(time));
}

/**
 * The figures in words, for those who cannot see the picture.
 */
function summarise(
  values: IValue[],
  format: (value: number) => string,
  trans: TranslationBundle
): string {
  if (values.length === 0) {
    return trans.__('nothing was reported in the last 10 minutes');
  }
  const all = values.map(({ value }) => value);
  return trans.__(
    'between %1 and %2 in the last 10 minutes, %3 at last',
    format(Math.min(...all)),
    format(Math.max(...all)),
    format(all[all.length - 1])
  );
}
