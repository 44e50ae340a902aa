import { ReactWidget } from '@jupyterlab/ui-components';
import { ISignal } from '@lumino/signaling';
import { PanelLayout, Widget } from '@lumino/widgets';

export interface IModalOptions<T> {
  /**
   * What it shows, with ids `jp-mlinfn-modal-title` and `jp-mlinfn-modal-text`;
   * it calls `answer` with what was chosen.
   */
  render: (answer: (chosen: T) => void) => JSX.Element;
  /** Beside `jp-mlinfn-Modal`. */
  className?: string;
  /** What it is to a screen reader; an alertdialog unless said otherwise. */
  role?: 'alertdialog' | 'dialog';
  /** The answer that Escape gives. */
  cancelled: T;
  /** Something that can make the question pointless. */
  changed: ISignal<any, void>;
  /** Whether it has; the answer is `otherwise` then. */
  isPointless: () => boolean;
  otherwise: T;
}

/**
 * Ask in a dialog before everything else in the page.
 *
 * JupyterLab's own dialogs stand in a queue: one that somebody left open hours
 * ago would hide this. It looks like them.
 *
 * @returns what was chosen
 */
export function ask<T>(options: IModalOptions<T>): Promise<T> {
  return new Modal(options).launch();
}

class Modal<T> {
  constructor(options: IModalOptions<T>) {
    this._options = options;
    const { cancelled, className, render, role = 'alertdialog' } = options;
    const node = this._dialog;
    node.setAttribute('role', role);
    node.setAttribute('aria-labelledby', 'jp-mlinfn-modal-title');
    node.setAttribute('aria-describedby', 'jp-mlinfn-modal-text');
    node.addEventListener('cancel', event => {
      event.preventDefault();
      this._answer(cancelled);
    });
    this._widget.addClass('jp-mlinfn-Modal');
    this._widget.addClass('jp-ThemedContainer');
    if (className) {
      this._widget.addClass(className);
    }
    const layout = (this._widget.layout = new PanelLayout());
    const content = ReactWidget.create(render(chosen => this._answer(chosen)));
    content.addClass('jp-Dialog-content');
    layout.addWidget(content);
  }

  async launch(): Promise<T> {
    const { changed, isPointless, otherwise } = this._options;
    const look = (): void => {
      if (isPointless()) {
        this._answer(otherwise);
      }
    };
    changed.connect(look);
    Widget.attach(this._widget, document.body);
    this._dialog.showModal();
    try {
      return await this._answered;
    } finally {
      changed.disconnect(look);
      // Gives the focus back to what had it.
      this._dialog.close();
      this._widget.dispose();
    }
  }

  private _options: IModalOptions<T>;
  private _dialog = document.createElement('dialog');
  private _widget = new Widget({ node: this._dialog });
  private _answer: (chosen: T) => void = () => undefined;
  private _answered = new Promise<T>(resolve => {
    this._answer = resolve;
  });
}
