import { IDocuments } from './api';
import { IdleModel } from './model';
import { PageReporter } from './reporter';

/**
 * Answers the server's question which documents this page has: each question once.
 */
export class Answering {
  /**
   * @param documents those of now
   */
  constructor(
    model: IdleModel,
    reporter: PageReporter,
    documents: () => IDocuments
  ) {
    this._model = model;
    this._reporter = reporter;
    this._documents = documents;
    model.changed.connect(this._onChanged, this);
    this._onChanged();
  }

  private _onChanged(): void {
    const asked = this._model.answer?.asked ?? null;
    if (asked !== null && asked !== this._answered) {
      this._answered = asked;
      this._reporter.documents(asked, this._documents());
    }
  }

  private _model: IdleModel;
  private _reporter: PageReporter;
  private _documents: () => IDocuments;
  private _answered: string | null = null;
}
