import { TranslationBundle } from '@jupyterlab/translation';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/**
 * A size in decimal units: 17.5 MB, 312 MB, 1.1 GB.
 */
export function formatBytes(bytes: number): string {
  const unit = unitOf(bytes);
  return `${inUnit(bytes, unit)} ${UNITS[unit]}`;
}

/**
 * Done and total in one unit, that of the total: 210 of 312 MB.
 */
export function formatBytesOf(
  done: number,
  total: number,
  trans: TranslationBundle
): string {
  const unit = unitOf(total);
  return trans.__(
    '%1 of %2 %3',
    inUnit(done, unit),
    inUnit(total, unit),
    UNITS[unit]
  );
}

/**
 * How long something took: 0.8 s, 34 s, 2 min 5 s, 1 h 3 min.
 */
export function formatDuration(
  seconds: number,
  trans: TranslationBundle
): string {
  if (seconds < 9.95) {
    return trans.__('%1 s', String(round1(Math.max(seconds, 0))));
  }
  const whole = Math.round(seconds);
  if (whole < 60) {
    return trans.__('%1 s', String(whole));
  }
  if (whole < 3600) {
    const rest = whole % 60;
    return rest === 0
      ? trans.__('%1 min', String(whole / 60))
      : trans.__('%1 min %2 s', String(Math.floor(whole / 60)), String(rest));
  }
  const minutes = Math.round(whole / 60);
  return trans.__(
    '%1 h %2 min',
    String(Math.floor(minutes / 60)),
    String(minutes % 60)
  );
}

/**
 * An estimate of the time left, rounded so that it does not flicker: 3 s, 20 s, 4 min.
 */
export function formatEstimate(
  seconds: number,
  trans: TranslationBundle
): string {
  const step = seconds < 5 ? 1 : seconds < 60 ? 5 : 60;
  const rounded = Math.max(1, Math.ceil(seconds / step)) * step;
  return formatDuration(rounded, trans);
}

function unitOf(bytes: number): number {
  let unit = 0;
  // 999.5 would be shown as 1000 of the smaller unit
  while (unit < UNITS.length - 1 && bytes >= 999.5 * 1000 ** unit) {
    unit++;
  }
  return unit;
}

function inUnit(bytes: number, unit: number): string {
  const value = bytes / 1000 ** unit;
  return String(
    value >= 99.95 || unit === 0 ? Math.round(value) : round1(value)
  );
}

function round1(value: number): number {
  return Math.round(value * 10) / 10;
}
