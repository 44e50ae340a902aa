import type { FileBrowser } from '@jupyterlab/filebrowser';
import { TranslationBundle } from '@jupyterlab/translation';
import { Button, infoIcon, ReactWidget } from '@jupyterlab/ui-components';
import { Panel, Widget } from '@lumino/widgets';
import React from 'react';

import { cautionIcon } from '../icons';
import { IPlace } from './api';
import { describePersistence, explainPlace } from './words';

/**
 * Says in the file browser that what is in its folder does not last; nothing where it does.
 */
export class Badge extends ReactWidget {
  /**
   * @param open what a click does
   */
  constructor(open: () => void, trans: TranslationBundle) {
    super();
    this._open = open;
    this._trans = trans;
    this.addClass('jp-mlinfn-StorageBadge');
    this.hide();
  }

  /**
   * @param place null where there is nothing to say
   */
  tell(place: IPlace | null): void {
    this._place = place?.persistence === 'lasts' ? null : place;
    this.setHidden(this._place === null);
    this.update();
  }

  protected render(): JSX.Element | null {
    const place = this._place;
    if (place === null) {
      return null;
    }
    const trans = this._trans;
    const Icon = place.persistence === 'ephemeral' ? cautionIcon : infoIcon;
    const why = explainPlace(place, trans);
    return (
      <Button
        minimal
        className="jp-mlinfn-StorageBadge-button"
        data-persistence={place.persistence}
        title={why}
        aria-label={trans.__(
          '%1: show what lasts',
          describePersistence(place.persistence, trans)
        )}
        aria-description={why}
        onClick={this._open}
      >
        <Icon.react tag="span" width="14px" height="14px" aria-hidden="true" />
        <span>{describePersistence(place.persistence, trans)}</span>
      </Button>
    );
  }

  private _open: () => void;
  private _trans: TranslationBundle;
  private _place: IPlace | null = null;
}

/**
 * Put a widget between the path and the list of files.
 */
export function putInto(browser: FileBrowser, widget: Widget): void {
  const panel = panelOf(browser.content);
  const crumbs = panel?.widgets.findIndex(({ node }) =>
    node.classList.contains('jp-FileBrowser-crumbs')
  );
  if (panel && crumbs !== undefined && crumbs >= 0) {
    panel.insertWidget(crumbs + 1, widget);
  } else {
    // Its parts are no public interface: another version may have others.
    browser.toolbar.addItem('mlinfn-storage', widget);
  }
}

/**
 * The panel with path and list; other parts of JupyterLab may have put it deeper.
 */
function panelOf(widget: Widget): Panel | null {
  if (widget instanceof Panel && widget.hasClass('jp-FileBrowser-Panel')) {
    return widget;
  }
  for (const child of Array.from(widget.children())) {
    const found = panelOf(child);
    if (found) {
      return found;
    }
  }
  return null;
}
