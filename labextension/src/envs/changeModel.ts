import { IFieldProblem, MlinfnError } from '../api';
import { Observable } from '../observable';
import { IChangePlan, Intent, Manager } from './changesApi';
import { ICudaMark } from './cudaApi';
import { FINAL_STATUSES } from './formModel';
import { LivePreview, Preview } from './livePreview';
import { nameOf, replaceName, splitSpecs, withSpecs } from './specs';
import { ISpecsModel } from './specsModel';

/**
 * What the form needs of the REST calls.
 */
export interface IChangePreviewer {
  preview(intent: Intent, signal: AbortSignal): Promise<IChangePlan>;
}

/**
 * A change that is being thought about, with its live preview.
 */
export class ChangeModel extends Observable implements ISpecsModel {
  constructor(previewer: IChangePreviewer, intent: Intent) {
    super();
    this._intent = intent;
    this._live = new LivePreview(
      () => (this.isComplete ? this._intent : null),
      async (wanted, signal) => {
        const plan = await previewer.preview(wanted, signal);
        if (!signal.aborted) {
          this._compare(plan);
        }
        return plan;
      }
    );
    this._live.changed.connect(() => this._emit());
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

  get preview(): Preview<IChangePlan> {
    return this._live.current;
  }

  get plan(): IChangePlan | null {
    return this._live.plan;
  }

  /**
   * Why what was submitted was not begun; '' where nothing is to be told.
   */
  get note(): string {
    return this._note;
  }

  /**
   * Whether the environment is another than when it was submitted, and the diff with it.
   */
  get isOutdated(): boolean {
    return this._isOutdated;
  }

  /**
   * Why it cannot be done as it is: by the preview or by the attempt itself.
   */
  get refusal(): MlinfnError | null {
    return this._refusal ?? this._live.error;
  }

  /**
   * Which build of the spec's package would come; undefined where it has none for CUDA.
   */
  markOf(spec: string): ICudaMark | undefined {
    const marks = this.refusal ? [] : (this.plan?.cuda_builds ?? []);
    return marks.find(({ name }) => name === nameOf(spec));
  }

  protected onDispose(): void {
    this._live.dispose();
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
    if (this.preview.state !== 'known') {
      return false;
    }
    const { packages, files } = this.preview.plan;
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
    if (!this.isComplete || this.preview.state === 'asking' || this.isEmpty) {
      return false;
    }
    if (this.preview.state === 'known' && !this.preview.plan.fits) {
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
   * The server refused what was submitted. Where it said that the environment is
   * another by now, or is being changed, what would change is asked again.
   */
  refuse(error: MlinfnError): void {
    if (error.status === 409) {
      this._note = [error.message, error.reason].filter(part => part).join(' ');
      this._submitted = this.plan?.revision ?? null;
      this._ask(0);
    } else {
      this._refusal = error;
      this._emit();
    }
  }

  /**
   * Ask for a preview after a pause; one that is under way is given up.
   */
  ask(delay?: number): void {
    this._note = '';
    this._submitted = null;
    this._isOutdated = false;
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

  private _ask(delay?: number): void {
    this._refusal = null;
    this._live.ask(delay);
  }

  private _compare(plan: IChangePlan): void {
    this._isOutdated =
      this._submitted !== null && plan.revision !== this._submitted;
  }

  private _emit(): void {
    if (!this.isDisposed) {
      this.emitChanged();
    }
  }

  private _intent: Intent;
  private _live: LivePreview<Intent, IChangePlan>;
  private _refusal: MlinfnError | null = null;
  private _note = '';
  private _submitted: number | null = null;
  private _isOutdated = false;
}
