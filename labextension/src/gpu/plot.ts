import { HISTORY, IPoint } from './history';

/**
 * Between samples that are further apart than this, in milliseconds, nobody
 * looked: nothing is drawn there. While somebody looks they are 2 s apart.
 */
export const GAP = 15000;

/**
 * In the chart's own units; the picture is stretched to the width there is.
 */
export const SIZE = { width: 600, height: 60 };

const SPANS = [60000, 120000, 300000];

/**
 * What the chart's edges stand for: times in milliseconds, and the largest value.
 */
export interface IScale {
  end: number;
  span: number;
  top: number;
}

/**
 * One value at a time, in milliseconds since the epoch.
 */
export interface IValue {
  time: number;
  value: number;
}

/**
 * The values in pieces without gaps; what is not reported is a gap, too.
 */
export function pieces(
  points: ReadonlyArray<IPoint>,
  valueOf: (point: IPoint) => number | null
): IValue[][] {
  const found: IValue[][] = [];
  let piece: IValue[] = [];
  for (const point of points) {
    const value = valueOf(point);
    const last = piece[piece.length - 1];
    if (last && (value === null || point.time - last.time > GAP)) {
      found.push(piece);
      piece = [];
    }
    if (value !== null) {
      piece.push({ time: point.time, value });
    }
  }
  return piece.length > 0 ? [...found, piece] : found;
}

/**
 * How much of the past is drawn: all that is kept, unless that would crowd the
 * little there is at the right edge.
 */
export function spanOf(points: ReadonlyArray<IPoint>, end: number): number {
  const length = points.length === 0 ? 0 : end - points[0].time;
  return SPANS.find(span => length <= span) ?? HISTORY;
}

/**
 * Where a time is, from the left.
 */
export function xOf(time: number, { end, span }: IScale): number {
  return round((1 - (end - time) / span) * SIZE.width);
}

/**
 * Where a value is, from above.
 */
export function yOf(value: number, { top }: IScale): number {
  const share = top > 0 ? Math.min(Math.max(value / top, 0), 1) : 0;
  return round((1 - share) * SIZE.height);
}

/**
 * A piece as the `d` of an SVG path. One that is a single value is a line
 * without length: with round ends it is a dot.
 */
export function linePath(piece: IValue[], scale: IScale): string {
  const [first, ...rest] = piece.map(
    ({ time, value }) => `${xOf(time, scale)} ${yOf(value, scale)}`
  );
  return `M${first}${(rest.length > 0 ? rest : [first]).map(at => `L${at}`).join('')}`;
}

/**
 * What is below the line of a piece.
 */
export function areaPath(piece: IValue[], scale: IScale): string {
  const from = xOf(piece[0].time, scale);
  const to = xOf(piece[piece.length - 1].time, scale);
  return `${linePath(piece, scale)}L${to} ${SIZE.height}L${from} ${SIZE.height}Z`;
}

/**
 * The value nearest to a time; null where there is none within the gap.
 */
export function nearest(found: IValue[][], time: number): IValue | null {
  let best: IValue | null = null;
  for (const piece of found) {
    for (const value of piece) {
      const distance = Math.abs(value.time - time);
      if (distance <= GAP && (!best || distance < Math.abs(best.time - time))) {
        best = value;
      }
    }
  }
  return best;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
