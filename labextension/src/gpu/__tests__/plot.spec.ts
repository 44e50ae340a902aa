import { HISTORY, History, IPoint } from '../history';
import {
  areaPath,
  GAP,
  linePath,
  nearest,
  pieces,
  SIZE,
  spanOf,
  xOf,
  yOf
} from '../plot';
import { sample, START } from './fakes';

function points(...values: [number, number | null][]): ReadonlyArray<IPoint> {
  const history = new History();
  history.add(values.map(([at, used], seq) => sample(seq, at, used)));
  return history.points('MIG-1');
}

const SCALE = { end: START, span: HISTORY, top: 4 };
const usedOf = ({ used }: IPoint): number | null => used;

describe('the chart', () => {
  it('spans ten minutes from the left to the right edge', () => {
    expect(xOf(START, SCALE)).toBe(SIZE.width);
    expect(xOf(START - HISTORY, SCALE)).toBe(0);
    expect(xOf(START - HISTORY / 4, SCALE)).toBe(SIZE.width * 0.75);
  });

  it('spans less as long as there is little to be seen', () => {
    expect(spanOf([], START)).toBe(60000);
    expect(spanOf(points([-12, 0]), START)).toBe(60000);
    expect(spanOf(points([-61, 0]), START)).toBe(120000);
    expect(spanOf(points([-301, 0]), START)).toBe(HISTORY);
    expect(spanOf(points([-600, 0]), START)).toBe(HISTORY);
  });

  it('keeps values within its edges, also where the top is not known', () => {
    expect(yOf(0, SCALE)).toBe(SIZE.height);
    expect(yOf(1, SCALE)).toBe(SIZE.height * 0.75);
    expect(yOf(5, SCALE)).toBe(0);
    expect(yOf(5, { ...SCALE, top: 0 })).toBe(SIZE.height);
  });

  it('draws nothing where there were no samples or no figures', () => {
    const found = pieces(
      points([0, 1], [2, 2], [2 + GAP / 1000 + 1, 3], [20, null], [22, 4]),
      usedOf
    );
    expect(found.map(piece => piece.map(({ value }) => value))).toEqual([
      [1, 2],
      [3],
      [4]
    ]);
    expect(pieces(points([0, null]), usedOf)).toEqual([]);
  });

  it('draws a line, what is below it, and a dot for a single value', () => {
    const [piece] = pieces(points([-600, 0], [-300, 4], [-300, 2]), () => 2);
    const line = linePath([piece[0]], SCALE);
    expect(line).toBe('M0 30L0 30');
    const two = [
      { time: START - HISTORY, value: 0 },
      { time: START, value: 4 }
    ];
    expect(linePath(two, SCALE)).toBe('M0 60L600 0');
    expect(areaPath(two, SCALE)).toBe('M0 60L600 0L600 60L0 60Z');
  });

  it('reads the value nearest to the pointer, none in a gap', () => {
    const found = pieces(points([0, 1], [2, 2], [100, 3]), usedOf);
    expect(nearest(found, START + 1200)?.value).toBe(2);
    expect(nearest(found, START + 90000)?.value).toBe(3);
    expect(nearest(found, START + 50000)).toBeNull();
  });
});
