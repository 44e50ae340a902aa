const MARK = '⏳ ';

/**
 * Marks the title of the browser's tab; JupyterLab may set it anew meanwhile.
 */
export class TitleMark {
  /**
   * Whether the title bears the mark.
   */
  set(marked: boolean): void {
    if (marked === (this._observer !== null)) {
      return;
    }
    if (!marked) {
      this._observer?.disconnect();
      this._observer = null;
      if (document.title.startsWith(MARK)) {
        document.title = document.title.slice(MARK.length);
      }
      return;
    }
    this._observer = new MutationObserver(mark);
    this._observer.observe(document.head, {
      childList: true,
      subtree: true,
      characterData: true
    });
    mark();
  }

  private _observer: MutationObserver | null = null;
}

function mark(): void {
  if (!document.title.startsWith(MARK)) {
    document.title = MARK + document.title;
  }
}
