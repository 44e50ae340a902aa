import { TranslationBundle } from '@jupyterlab/translation';
import { Button, ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import React from 'react';

import { ErrorView } from '../errorView';
import { useSignal } from '../hooks';
import { storageIcon } from '../icons';
import { PLAIN } from '../jobs/jobView';
import { IJobs } from '../jobs/tokens';
import { StorageActions } from './actions';
import { StorageApi } from './api';
import { Lost } from './lost';
import { StorageModel } from './panelModel';
import { Volumes } from './volumes';

/**
 * Below this width, in pixels, what can be done without is left out.
 */
const NARROW = 560;

export interface IPanelOptions {
  model: StorageModel;
  api: Pick<StorageApi, 'files' | 'rescue'>;
  jobs: IJobs;
  actions: StorageActions;
  trans: TranslationBundle;
}

/**
 * What lasts, what would be lost, and the way to keep it.
 */
export class StoragePanel extends ReactWidget {
  constructor(options: IPanelOptions) {
    super();
    this._options = options;
    this.addClass('jp-mlinfn-Storage');
    this.node.tabIndex = -1;
    this.title.icon = storageIcon;
    this.title.label = options.trans.__('Storage');
    this.title.closable = true;
  }

  dispose(): void {
    if (!this.isDisposed) {
      void this._options.model.setShown(false);
      super.dispose();
    }
  }

  protected onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    this._onShown();
  }

  protected onBeforeDetach(msg: Message): void {
    void this._options.model.setShown(false);
    super.onBeforeDetach(msg);
  }

  protected onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this._onShown();
  }

  protected onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    void this._options.model.setShown(false);
  }

  protected onActivateRequest(msg: Message): void {
    super.onActivateRequest(msg);
    this.node.focus();
  }

  protected onResize(msg: Widget.ResizeMessage): void {
    super.onResize(msg);
    const width = msg.width < 0 ? this.node.clientWidth : msg.width;
    this.toggleClass('jp-mod-narrow', width < NARROW);
  }

  protected render(): JSX.Element {
    return <Content {...this._options} />;
  }

  private _onShown(): void {
    void this._options.model.setShown(this.isVisible);
  }

  private _options: IPanelOptions;
}

export function Content(props: IPanelOptions): JSX.Element {
  const { model, actions, trans } = props;
  useSignal(model.changed);
  const { answer, error } = model;
  if (answer === null) {
    return error ? (
      <ErrorView error={error} trans={trans}>
        <div className="jp-mlinfn-buttons">
          <Button className={PLAIN} onClick={() => void model.refresh()}>
            {trans.__('Try again')}
          </Button>
        </div>
      </ErrorView>
    ) : (
      <p className="jp-mlinfn-hint" role="status">
        {trans.__('Loading…')}
      </p>
    );
  }
  return (
    <>
      <header>
        <h2>{trans.__('Storage')}</h2>
        <p className="jp-mlinfn-hint">
          {trans.__(
            'Which folders are still there after this server has stopped, how full they are, and what would be lost.'
          )}
        </p>
      </header>
      {error && <ErrorView error={error} trans={trans} />}
      {answer.volumes.length === 0 ? (
        <p>
          {trans.__('This server could not find out what its folders lie on.')}
        </p>
      ) : (
        <Volumes
          volumes={answer.volumes}
          browse={path => void actions.browse(path)}
          trans={trans}
        />
      )}
      <Lost {...props} answer={answer} />
    </>
  );
}
