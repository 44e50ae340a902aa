/**
 * Reads at most once at a time. A request that comes while a read is under way
 * causes exactly one more after it, however many such requests there are: what
 * is read last began after the last request.
 */
export class CoalescedRead {
  /**
   * @param read must not reject
   */
  constructor(read: () => Promise<void>) {
    this._read = read;
  }

  /**
   * When the last read began, in milliseconds since the epoch; 0 before the first.
   */
  get lastBegun(): number {
    return this._lastBegun;
  }

  /**
   * Resolves when a read that began after this call has ended.
   */
  request(): Promise<void> {
    if (this._next) {
      return this._next;
    }
    if (this._running) {
      this._next = this._running.then(() => {
        this._next = null;
        return this._start();
      });
      return this._next;
    }
    return this._start();
  }

  private _start(): Promise<void> {
    this._lastBegun = Date.now();
    const running = this._read().then(() => {
      if (this._running === running) {
        this._running = null;
      }
    });
    this._running = running;
    return running;
  }

  private _read: () => Promise<void>;
  private _running: Promise<void> | null = null;
  private _next: Promise<void> | null = null;
  private _lastBegun = 0;
}
