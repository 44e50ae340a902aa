import { TranslationBundle } from '@jupyterlab/translation';
import { Message } from '@lumino/messaging';
import { Panel, Widget } from '@lumino/widgets';

import { gpuIcon } from '../icons';
import { loadFailure } from './loadFailure';
import { GpuModel } from './model';

/**
 * The panel's place in the sidebar, which is there from the start so that a
 * layout can be restored. What it shows is loaded when it is first looked at.
 */
export class GpuSidebar extends Panel {
  constructor(
    model: GpuModel,
    load: () => Promise<Widget>,
    trans: TranslationBundle
  ) {
    super();
    this._model = model;
    this._load = load;
    this._trans = trans;
    this.id = 'jupyter-mlinfn-gpu';
    this.addClass('jp-mlinfn-GpuSidebar');
    this.node.tabIndex = -1;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('GPU'));
    this.title.icon = gpuIcon;
    this.title.caption = trans.__('GPU');
    model.changed.connect(this._update, this);
    this._update();
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._model.setShown(this, false);
      this._model.changed.disconnect(this._update, this);
      super.dispose();
    }
  }

  protected onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    this._onShown();
  }

  protected onBeforeDetach(msg: Message): void {
    this._model.setShown(this, false);
    super.onBeforeDetach(msg);
  }

  protected onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this._onShown();
  }

  protected onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    this._model.setShown(this, false);
    this._update();
  }

  protected onActivateRequest(msg: Message): void {
    super.onActivateRequest(msg);
    this.node.focus();
  }

  private _onShown(): void {
    this._model.setShown(this, this.isVisible);
    this._update();
    if (this.isVisible && !this._isLoading) {
      this._isLoading = true;
      this._load().then(
        widget => this._put(widget),
        reason => {
          this._isLoading = false;
          this._put(loadFailure(reason, () => this._onShown(), this._trans));
        }
      );
    }
  }

  /**
   * Show it and nothing else.
   */
  private _put(widget: Widget): void {
    if (this.isDisposed) {
      widget.dispose();
      return;
    }
    for (const before of Array.from(this.widgets)) {
      before.dispose();
    }
    this.addWidget(widget);
  }

  /**
   * No tab where there is no GPU, unless it is looked at all the same.
   */
  private _update(): void {
    const isWanted = this._model.view?.present || this.isVisible;
    this.title.className = isWanted ? '' : 'jp-mlinfn-hidden';
  }

  private _model: GpuModel;
  private _load: () => Promise<Widget>;
  private _trans: TranslationBundle;
  private _isLoading = false;
}
