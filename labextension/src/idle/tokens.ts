import { Token } from '@lumino/coreutils';

import { IDocuments, ISaved } from './api';
import { IdleModel } from './model';

/**
 * What other rooms ask of this page's documents.
 */
export interface IPageDocuments {
  list(): IDocuments;
  /** @param timeout milliseconds after which what is not saved counts as failed */
  saveAll(timeout: number): Promise<ISaved>;
  /** Ask nobody about what has changed in those since they were saved. */
  disregard(paths: string[]): void;
}

/**
 * What is known of this server's end, and of this page's part in it.
 */
export interface IServerEnd {
  readonly model: IdleModel;
  /** What this page has saved before the end; null where it was not asked to. */
  readonly saved: ISaved | null;
  /** Those of this page; none before JupyterLab is there. */
  readonly documents: IPageDocuments;
}

export const IServerEnd = new Token<IServerEnd>(
  'jupyter-mlinfn:IServerEnd',
  'When and why this server is stopped, and what pages have saved before.'
);
