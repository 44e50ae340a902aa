import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { IFieldProblem, isAborted, MlinfnError } from '../api';
import { IChangePlan, Intent, Manager } from './changesApi';
import { FINAL_STATUSES, LONGEST_PAUSE, PREVIEW_DELAY } from './formModel';
import { nameOf, replaceName, splitSpecs, withSpecs } from './specs';
import { ISpecsModel } from './specsModel';

export type ChangePreview =
  | { state: 'none' }
  | { state: 'asking'; last: IChangePlan | null }
  | { state: 'known'; plan: IChangePlan }
  | { state: 'refused'; error: MlinfnError };

/**
 * What the form needs of the REST calls.
 */
export interface IChangePreviewer {
  preview(intent: Intent, signal: AbortSignal): Promise<IChangePlan>;
}

/**
 * A change that is being thought about, with its live preview.
 */
export class ChangeModel implements ISpecsModel, IDisposable {
  constructor(previewer: IChangePreviewer, intent: Intent) {
    this._previewer = previewer;
    this._intent = intent;
  }

  get intent(): Intent {
    return this._intent;
  }

  get draft(): { readonly specs: string[] } {
    return { specs: this._specs };
  }

  /**
   * null for going back, which needs neither.
   */
  get manager(): Manager | null {
    return this._intent.action === 'rollback' ? null : this._intent.manager;
  }

  set manager(manager: Manager | null) {
    if (this._intent.action !== 'rollback' && manager !== null) {
      this._update({ ...this._intent, manager });
    }
  }

  get preview(): ChangePreview {
    return this._preview;
  }

  /**
   * The last plan that is not outdated by more than what is being asked for.
   */
  get plan(): IChangePlan | null {
    switch (this._preview.state) {
      case 'known':
        return this._preview.plan;
      case 'asking':
        return this._preview.last;
      default:
        return null;
    }
  }

  /**
   * Why the diff is another than was shown before; '' where it is not.
   */
  get note(): string {
    return this._note;
  }

  /**
   * Why it cannot be done as it is: by the preview or by the attempt itself.
   */
  get refusal(): MlinfnError | null {
    return (
      this._refusal ??
      (this._preview.state === 'refused' ? this._preview.error : null)
    );
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._stop();
      Signal.clearData(this);
    }
  }

  /**
   * Whether there is something to ask for: an install needs a name first.
   */
  get isComplete(): boolean {
    return this._intent.action !== 'install' || this._specs.length > 0;
  }

  /**
   * Whether the plan says that nothing would change.
   */
  get isEmpty(): boolean {
    if (this._preview.state !== 'known') {
      return false;
    }
    const { packages, files } = this._preview.plan;
    return (
      packages.length === 0 &&
      files.modified.length === 0 &&
      files.missing.length === 0
    );
  }

  /**
   * Only what was shown is done: the diff has to be known, unless the server
   * could not say it for a reason that may be gone by now.
   */
  get canSubmit(): boolean {
    if (!this.isComplete || this._preview.state === 'asking' || this.isEmpty) {
      return false;
    }
    if (this._preview.state === 'known' && !this._preview.plan.fits) {
      return false;
    }
    const status = this.refusal?.status;
    return status === undefined || !FINAL_STATUSES.has(status);
  }

  addSpecs(text: string): void {
    const added = splitSpecs(text, this.manager ?? 'conda');
    if (added.length > 0) {
      this._setSpecs(withSpecs(this._specs, added));
    }
  }

  removeSpec(spec: string): void {
    this._setSpecs(this._specs.filter(known => known !== spec));
  }

  renameSpec(spec: string, name: string): void {
    this._setSpecs(
      this._specs.map(known =>
        known === spec ? replaceName(known, name) : known
      )
    );
  }

  problems(field: 'specs'): IFieldProblem[] {
    return this.refusal?.fields[field] ?? [];
  }

  problemsOf(spec: string): IFieldProblem[] {
    return this.problems('specs').filter(
      ({ value }) =>
        value !== undefined &&
        (value === spec || nameOf(value) === nameOf(spec))
    );
  }

  /**
   * The server refused what was submitted. Where that is because the environment
   * is another by now, what would change is asked again.
   */
  refuse(error: MlinfnError): void {
    if (error.status === 409) {
      this._note = error.message;
      this._ask(0);
    } else {
      this._refusal = error;
      this._emit();
    }
  }

  /**
   * Ask for a preview after a pause; one that is under way is given up.
   */
  ask(delay = PREVIEW_DELAY): void {
    this._note = '';
    this._ask(delay);
  }

  private get _specs(): string[] {
    return this._intent.action === 'rollback' ? [] : this._intent.specs;
  }

  private _setSpecs(specs: string[]): void {
    if (this._intent.action !== 'rollback') {
      this._update({ ...this._intent, specs });
    }
  }

  private _update(intent: Intent): void {
    this._intent = intent;
    this.ask();
  }

  private _ask(delay: number): void {
    this._refusal = null;
    this._displaced = 0;
    this._schedule(delay);
  }

  private _schedule(delay: number): void {
    const last = this.plan;
    this._stop();
    if (this._isDisposed) {
      return;
    }
    if (this.isComplete) {
      this._preview = { state: 'asking', last };
      this._timer = window.setTimeout(() => void this._request(), delay);
    } else {
      this._preview = { state: 'none' };
    }
    this._emit();
  }

  private async _request(): Promise<void> {
    const abort = new AbortController();
    this._abort = abort;
    let preview: ChangePreview;
    try {
      const plan = await this._previewer.preview(this._intent, abort.signal);
      preview = { state: 'known', plan };
    } catch (thrown) {
      if (isAborted(thrown)) {
        return;
      }
      const error = MlinfnError.from(thrown);
      if (error.isSuperseded) {
        if (!abort.signal.aborted) {
          // Another form asked meanwhile; a random pause gets both out of each other's way.
          const pause = PREVIEW_DELAY * 2 ** this._displaced++;
          this._schedule(
            Math.min(pause, LONGEST_PAUSE) * (0.5 + Math.random())
          );
        }
        return;
      }
      preview = { state: 'refused', error };
    }
    if (!abort.signal.aborted) {
      this._preview = preview;
      this._emit();
    }
  }

  private _stop(): void {
    clearTimeout(this._timer);
    this._abort?.abort();
    this._abort = null;
  }

  private _emit(): void {
    if (!this._isDisposed) {
      this._changed.emit();
    }
  }

  private _previewer: IChangePreviewer;
  private _intent: Intent;
  private _preview: ChangePreview = { state: 'none' };
  private _refusal: MlinfnError | null = null;
  private _note = '';
  private _abort: AbortController | null = null;
  private _timer = 0;
  private _displaced = 0;
  private _isDisposed = false;
  private _changed = new Signal<this, void>(this);
}
