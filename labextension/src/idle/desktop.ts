/**
 * Notifications of the desktop, for pages that nobody sees.
 *
 * The browser's permission is asked for by a click only. All pages of a server
 * share one notification: who has ten of them open is told once.
 */
export class DesktopNotices {
  /**
   * @param tag names the server among those of this browser
   * @param isWanted whether the user's settings allow it
   */
  constructor(tag: string, isWanted: () => boolean) {
    this._tag = tag;
    this._isWanted = isWanted;
  }

  /**
   * Whether the user could be asked for permission, and has not answered yet.
   */
  get canAsk(): boolean {
    return (
      this._isWanted() &&
      'Notification' in window &&
      // Elsewhere browsers refuse without asking.
      window.isSecureContext &&
      Notification.permission === 'default'
    );
  }

  /**
   * To be called within a click.
   *
   * @returns whether it was allowed
   */
  async ask(): Promise<boolean> {
    return (await Notification.requestPermission()) === 'granted';
  }

  /**
   * Tell it where this page is hidden; a click leads to it.
   */
  tell(title: string, body: string): void {
    this.clear();
    if (
      document.visibilityState === 'visible' ||
      !this._isWanted() ||
      !('Notification' in window) ||
      Notification.permission !== 'granted'
    ) {
      return;
    }
    try {
      const shown = new Notification(title, {
        body,
        tag: this._tag,
        requireInteraction: true
      });
      shown.onclick = () => {
        window.focus();
        shown.close();
      };
      this._shown = shown;
    } catch (reason) {
      // Some browsers, on phones, have none from a page although it is allowed.
      console.debug('No desktop notification could be shown.', reason);
    }
  }

  /**
   * Take back what was told: it is true no more.
   */
  clear(): void {
    this._shown?.close();
    this._shown = null;
  }

  private _tag: string;
  private _isWanted: () => boolean;
  private _shown: Notification | null = null;
}
