import { IGpuSample } from './api';

/**
 * How much of the past is kept, in milliseconds.
 */
export const HISTORY = 10 * 60 * 1000;

/**
 * What a device reported at a time; null is not reported.
 */
export interface IPoint {
  seq: number;
  /** By the server's clock, in milliseconds since the epoch. */
  time: number;
  used: number | null;
  utilisation: number | null;
}

/**
 * The last ten minutes of each device, oldest first, by the server's clock:
 * that of the browser may differ.
 */
export class History {
  /**
   * The time of the newest sample of any device; null before the first.
   */
  get end(): number | null {
    return this._end;
  }

  points(device: string): ReadonlyArray<IPoint> {
    return this._points.get(device) ?? [];
  }

  newest(device: string): IPoint | null {
    const points = this.points(device);
    return points.length === 0 ? null : points[points.length - 1];
  }

  clear(): void {
    this._points.clear();
    this._end = null;
  }

  add(samples: ReadonlyArray<IGpuSample>): void {
    for (const { device, seq, time, used, utilisation } of samples) {
      const at = Date.parse(time);
      const points = this._points.get(device) ?? [];
      this._points.set(device, points);
      points.push({ seq, time: at, used, utilisation });
      this._end = Math.max(this._end ?? at, at);
    }
    const first = (this._end ?? 0) - HISTORY;
    for (const [device, points] of Array.from(this._points)) {
      const old = points.findIndex(point => point.time >= first);
      if (old < 0) {
        this._points.delete(device);
      } else if (old > 0) {
        points.splice(0, old);
      }
    }
  }

  private _points = new Map<string, IPoint[]>();
  private _end: number | null = null;
}
