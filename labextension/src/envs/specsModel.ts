import { ISignal } from '@lumino/signaling';

import { IFieldProblem } from '../api';
import { ICudaMark } from './cudaApi';

/**
 * What the chips need of the form they stand in.
 */
export interface ISpecsModel {
  readonly draft: { readonly specs: string[] };
  readonly changed: ISignal<unknown, void>;
  /** Add the specs in a typed or pasted text; one of the same name is replaced. */
  addSpecs(text: string): void;
  removeSpec(spec: string): void;
  /** Take a suggestion: the spec stays as it is but for its name. */
  renameSpec(spec: string, name: string): void;
  problems(field: 'specs'): IFieldProblem[];
  problemsOf(spec: string): IFieldProblem[];
  /** Which build of the spec's package is chosen, where it has one for CUDA. */
  markOf?(spec: string): ICudaMark | undefined;
}
