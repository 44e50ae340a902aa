import { IFieldProblem, MlinfnError } from '../api';
import { Observable } from '../observable';
import { INewEnvironment, IPlan } from './api';
import { ICudaMark } from './cudaApi';
import { LivePreview, Preview } from './livePreview';
import { nameOf, replaceName, splitSpecs, withSpecs } from './specs';

/**
 * Choices of the Python field besides a minor version such as 3.12.
 */
export const NEWEST_PYTHON = 'newest';
export const NO_PYTHON = 'none';

/**
 * What is entered: all that is needed to show the form again.
 */
export interface IDraft {
  label: string;
  /** A minor version, NEWEST_PYTHON or NO_PYTHON. */
  python: string;
  /** Match specs, one a chip. */
  specs: string[];
  /** Instead of the configured ones; as typed. */
  channels: string;
  /** Requirements for pip; as typed. */
  pip: string;
  /** A version of CUDA, 'none', or '' for what the driver supports. */
  cuda: string;
}

/**
 * What the form needs of the REST calls.
 */
export interface IPreviewer {
  preview(wanted: INewEnvironment, signal: AbortSignal): Promise<IPlan>;
}

/**
 * The form for a new environment, with its live preview.
 */
export class FormModel extends Observable {
  constructor(previewer: IPreviewer, draft: Partial<IDraft> = {}) {
    super();
    this._draft = { ...EMPTY, ...draft };
    this._live = new LivePreview(
      () => (this._draft.label.trim() === '' ? null : this.wanted),
      async (wanted, signal) => {
        const plan = await previewer.preview(wanted, signal);
        if (!signal.aborted) {
          this._named = { label: wanted.label, name: plan.name };
        }
        return plan;
      }
    );
    this._live.changed.connect(() => this._emit());
  }

  get draft(): Readonly<IDraft> {
    return this._draft;
  }

  get preview(): Preview<IPlan> {
    return this._live.current;
  }

  get plan(): IPlan | null {
    return this._live.plan;
  }

  /**
   * The name that the label as it stands now was said to give; null where nobody has said.
   */
  get name(): string | null {
    return this._named?.label === this._draft.label.trim()
      ? this._named.name
      : null;
  }

  protected onDispose(): void {
    this._live.dispose();
  }

  /**
   * Change what is entered; the preview follows.
   */
  update(change: Partial<IDraft>): void {
    this._draft = { ...this._draft, ...change };
    this._refusal = null;
    this.ask();
  }

  /**
   * Add the specs in a typed or pasted text; one of the same name is replaced.
   */
  addSpecs(text: string): void {
    const added = splitSpecs(text, 'conda');
    if (added.length === 0) {
      return;
    }
    this.update({ specs: withSpecs(this._draft.specs, added) });
  }

  removeSpec(spec: string): void {
    this.update({ specs: this._draft.specs.filter(known => known !== spec) });
  }

  /**
   * Take a suggestion: the spec stays as it is but for its name.
   */
  renameSpec(spec: string, name: string): void {
    this.update({
      specs: this._draft.specs.map(known =>
        known === spec ? replaceName(known, name) : known
      )
    });
  }

  /**
   * The Python that is named among the packages, where one is.
   */
  get pythonChip(): string | undefined {
    return this._draft.specs.find(spec => nameOf(spec) === 'python');
  }

  /**
   * The spec that the Python field stands for.
   */
  get pythonSpec(): string | null {
    const { python } = this._draft;
    if (python === NO_PYTHON || this.pythonChip) {
      return null;
    }
    return python === NEWEST_PYTHON ? 'python' : `python ${python}.*`;
  }

  /**
   * The channels as typed; undefined for the configured ones.
   */
  get channels(): string[] | undefined {
    const channels = this._draft.channels.split(/[\s,]+/).filter(c => c);
    return channels.length > 0 ? channels : undefined;
  }

  /**
   * The request that the form stands for.
   */
  get wanted(): INewEnvironment {
    const python = this.pythonSpec;
    const wanted: INewEnvironment = {
      label: this._draft.label.trim(),
      specs: python ? [python, ...this._draft.specs] : this._draft.specs.slice()
    };
    const pip = splitSpecs(this._draft.pip, 'pip');
    return {
      ...wanted,
      ...(this.channels ? { channels: this.channels } : {}),
      ...(pip.length > 0 ? { pip } : {}),
      ...(this._draft.cuda !== '' ? { cuda: this._draft.cuda } : {})
    };
  }

  /**
   * Why it cannot be created as it is: by the preview or by the attempt itself.
   */
  get refusal(): MlinfnError | null {
    if (this._refusal) {
      return this._refusal;
    }
    return this.preview.state === 'refused' ? this.preview.error : null;
  }

  /**
   * The server refused what was submitted.
   */
  refuse(error: MlinfnError): void {
    this._refusal = error;
    this._emit();
  }

  /**
   * Whether Create is worth pressing: nobody has to wait for the preview,
   * nor is an unreachable channel or server a reason not to try.
   */
  get canSubmit(): boolean {
    if (this._draft.label.trim() === '' || this.problems('label').length > 0) {
      return false;
    }
    if (this.preview.state === 'known' && !this.preview.plan.fits) {
      return false;
    }
    const status = this.refusal?.status;
    return status === undefined || !FINAL_STATUSES.has(status);
  }

  /**
   * What is wrong with a field of the request.
   */
  problems(
    field: 'label' | 'specs' | 'channels' | 'pip' | 'cuda'
  ): IFieldProblem[] {
    const fields = this.refusal?.fields ?? {};
    const own = fields[field] ?? [];
    return field === 'label' ? own.concat(fields.name ?? []) : own;
  }

  /**
   * What is wrong with one chip, or with the Python field's spec.
   */
  problemsOf(spec: string): IFieldProblem[] {
    return this.problems('specs').filter(
      ({ value }) =>
        value !== undefined &&
        (value === spec || nameOf(value) === nameOf(spec))
    );
  }

  /**
   * Which build of the spec's package is chosen; undefined where it has none for CUDA.
   */
  markOf(spec: string): ICudaMark | undefined {
    const marks = this.refusal ? [] : (this.plan?.cuda_builds ?? []);
    return marks.find(({ name }) => name === nameOf(spec));
  }

  /**
   * Ask for a preview after a pause; one that is under way is given up.
   */
  ask(delay?: number): void {
    this._live.ask(delay);
  }

  /**
   * Ask no more: the form is submitted.
   */
  stop(): void {
    this._live.stop();
  }

  private _emit(): void {
    if (!this.isDisposed) {
      this.emitChanged();
    }
  }

  private _draft: IDraft;
  private _live: LivePreview<INewEnvironment, IPlan>;
  private _named: { label: string; name: string } | null = null;
  private _refusal: MlinfnError | null = null;
}

const EMPTY: IDraft = {
  label: '',
  python: NEWEST_PYTHON,
  specs: [],
  channels: '',
  pip: '',
  cuda: ''
};

/**
 * Refused for what is entered: bad input, a taken name, unsolvable, no space.
 */
export const FINAL_STATUSES = new Set([400, 409, 422, 507]);

/**
 * The minor versions among versions given newest first: 3.13, 3.12, …
 */
export function minorVersions(versions: string[]): string[] {
  const minors = versions
    .map(version => /^\d+\.\d+(?=\.|$)/.exec(version)?.[0])
    .filter((minor): minor is string => minor !== undefined);
  return Array.from(new Set(minors));
}
