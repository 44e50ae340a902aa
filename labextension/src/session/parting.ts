import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { ISignal, Signal } from '@lumino/signaling';

import { MlinfnError } from '../api';
import { inWords } from '../errorView';
import { IServerEnd } from '../idle/tokens';
import { IJob, isActive } from '../jobs/api';
import { IJobs } from '../jobs/tokens';
import { howToStart, isStillStopping } from './again';
import type { showCalm } from './calm';
import { Connection } from './connection';
import { IKnown, Stage, stageOf } from './farewell';
import { SessionModel } from './model';

/** How long the hub is waited for until it can start the server; milliseconds. */
const NOTICE = { patience: 60000, pause: 1000 };
/** What a proxy answers until the hub has noticed. */
const NOT_NOTICED = [502, 503, 504];

export interface IPartingOptions {
  connection: Connection;
  end: IServerEnd;
  jobs: IJobs;
  model: SessionModel;
  trans: TranslationBundle;
}

/**
 * Shows a calm page when this server stops, and lets go when there is one again.
 */
export class Parting {
  constructor(options: IPartingOptions) {
    this._options = options;
    const { connection, end, jobs, model } = options;
    model.changed.connect(this._onModel, this);
    for (const { changed } of [connection, end.model, model, jobs.model]) {
      (changed as ISignal<any, any>).connect(this._onChanged, this);
    }
  }

  /**
   * Make ready what shows it: nothing can be loaded once the server is gone.
   */
  async load(): Promise<void> {
    const { showCalm } = await import('./calm');
    this._showCalm = showCalm;
    this._onChanged();
  }

  /**
   * Whether the server is gone, or goes because somebody asked for it here.
   */
  get isParting(): boolean {
    const { model } = this._options;
    return this.isGone || (model.wasAsked && model.isStopping);
  }

  get isGone(): boolean {
    const { connection, end } = this._options;
    return (
      end.model.end !== null ||
      connection.contact === 'gone' ||
      connection.contact === 'returned'
    );
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /**
   * All that can be told.
   */
  get known(): IKnown {
    const { connection, end, model } = this._options;
    return {
      contact: connection.contact,
      end: end.model.end,
      answer: model.answer,
      storage: model.storage,
      asked: model.wasAsked || end.model.wasAsked,
      saved: end.saved,
      unsaved: this._unsaved,
      job: this._job,
      failing: connection.failing,
      now: end.model.answer === null ? Date.now() : end.model.now
    };
  }

  /**
   * Show the page, also after it was closed.
   */
  show(): void {
    this._closedAt = null;
    this._onChanged();
  }

  /**
   * What was not saved in this page, by its person: when its kernel ends a
   * notebook changes by itself, and nobody can type while the page is shown.
   */
  private get _unsaved(): string[] {
    const { documents, saved } = this._options.end;
    const { unsaved } = documents.list();
    return this._afterSaving === null || this._wasClosed || saved === null
      ? unsaved
      : this._afterSaving;
  }

  private _noteSaving(): void {
    const { end, model } = this._options;
    if (!this.isGone && !end.model.isEnding && !model.isStopping) {
      this._afterSaving = null;
      this._wasClosed = false;
    } else if (end.saved !== null) {
      this._afterSaving ??= end.documents.list().unsaved;
    }
  }

  /**
   * Leave this page; the browser asks about what is really unsaved only.
   */
  private _leave(go: () => void): void {
    const { documents } = this._options.end;
    const unsaved = this._unsaved;
    documents.disregard(
      documents.list().unsaved.filter(path => !unsaved.includes(path))
    );
    go();
  }

  private _onChanged(): void {
    this._noteSaving();
    this._noteJob();
    this._changed.emit();
    if (this._reloadIfIdle()) {
      return;
    }
    if (!this.isParting) {
      this._closedAt = null;
    } else if (
      !this._isShown &&
      this._showCalm !== null &&
      this._closedAt !== stageOf(this.known)
    ) {
      void this._show(this._showCalm);
    }
  }

  private async _show(show: typeof showCalm): Promise<void> {
    const { connection, model, trans } = this._options;
    this._isShown = true;
    const again = () => howToStart(model.answer?.server ?? null);
    try {
      const isClosed = await show({
        known: () => this.known,
        again,
        changed: this._changed,
        isOver: () => !this.isParting,
        callOff: () => this._callOff(),
        canCallOff: () => model.answer?.stop.phase !== 'stopping',
        lookNow: () => connection.lookNow(),
        start: async () => {
          const { url } = again();
          if (url !== null) {
            await this._untilStopped(url);
            this._leave(() => window.location.assign(url));
          }
        },
        reload: () => this._leave(() => window.location.reload()),
        trans
      });
      this._wasClosed ||= isClosed;
      this._closedAt = isClosed ? stageOf(this.known) : null;
    } finally {
      this._isShown = false;
    }
    this._onChanged();
  }

  private async _callOff(): Promise<string> {
    try {
      await this._options.model.callOff();
      return '';
    } catch (thrown) {
      const told = inWords(MlinfnError.from(thrown), this._options.trans);
      return [told.message, told.reason].filter(part => part).join(' ');
    }
  }

  /**
   * A hub that has not noticed yet leads back to the server that is no more; one
   * that is still stopping it starts none.
   */
  private async _untilStopped(url: string): Promise<void> {
    const { connection } = this._options;
    const began = performance.now();
    await connection.lookNow();
    while (
      connection.contact === 'gone' &&
      performance.now() - began < NOTICE.patience &&
      (NOT_NOTICED.includes(connection.status) || (await isStillStopping(url)))
    ) {
      await new Promise(resolve => setTimeout(resolve, NOTICE.pause));
      await connection.lookNow();
    }
  }

  /**
   * Its events may be lost, and what it has done cannot be asked for later.
   */
  private _onModel(): void {
    const { jobs, model } = this._options;
    this._tellProblem();
    if (
      model.isStopping &&
      model.answer?.stop.job &&
      (this._job === null || isActive(this._job))
    ) {
      void jobs.model.refresh();
    }
  }

  /**
   * A stop that would lose what was to be kept is called off by itself.
   */
  private _tellProblem(): void {
    const { model, trans } = this._options;
    const problem = model.answer?.stop.problem;
    if (problem && this._problem !== undefined && problem !== this._problem) {
      Notification.error(trans.__('This server was not stopped. %1', problem), {
        autoClose: false
      });
    }
    if (model.answer !== null) {
      this._problem = problem ?? null;
    }
  }

  private _noteJob(): void {
    const { jobs, model } = this._options;
    const id = model.answer?.stop.job ?? null;
    if (id !== null) {
      this._job = jobs.model.jobs.find(job => job.id === id) ?? this._job;
    } else if (!this.isParting) {
      this._job = null;
    }
  }

  /**
   * Who has nothing in this page that could be lost has the new server at once.
   */
  private _reloadIfIdle(): boolean {
    if (
      this._options.connection.contact !== 'returned' ||
      this._isReloading ||
      this._unsaved.length > 0
    ) {
      return this._isReloading;
    }
    this._isReloading = true;
    this._leave(() => window.location.reload());
    return true;
  }

  private _options: IPartingOptions;
  private _showCalm: typeof showCalm | null = null;
  private _isShown = false;
  private _isReloading = false;
  private _closedAt: Stage | null = null;
  /** What this page had not saved once it had saved; null before. */
  private _afterSaving: string[] | null = null;
  private _wasClosed = false;
  private _job: IJob | null = null;
  /** undefined before the server was read. */
  private _problem: string | null | undefined;
  private _changed = new Signal<this, void>(this);
}
