import { DesktopNotices } from '../desktop';
import { setVisible } from './fakes';

class FakeNotification {
  static permission = 'granted';
  static made: FakeNotification[] = [];
  static requestPermission = jest.fn(async () => 'granted');
  constructor(
    readonly title: string,
    readonly options: { body: string; tag: string }
  ) {
    FakeNotification.made.push(this);
  }
  close = jest.fn();
  onclick: () => void = () => undefined;
}

describe('DesktopNotices', () => {
  beforeEach(() => {
    (window as any).Notification = FakeNotification;
    (window as any).isSecureContext = true;
    FakeNotification.made = [];
    FakeNotification.permission = 'granted';
    setVisible(false);
  });

  it('tell hidden pages only, with one tag for all pages of a server', () => {
    const notices = new DesktopNotices('idle:/user/me/', () => true);
    setVisible(true);
    notices.tell('This server stops at 14:30.', 'Why');
    expect(FakeNotification.made).toEqual([]);
    setVisible(false);
    notices.tell('This server stops at 14:30.', 'Why');
    const [made] = FakeNotification.made;
    expect(made.options).toMatchObject({ body: 'Why', tag: 'idle:/user/me/' });
    notices.clear();
    expect(made.close).toHaveBeenCalledTimes(1);
  });

  it('never ask by themselves, nor tell without permission or against the settings', () => {
    FakeNotification.permission = 'default';
    const notices = new DesktopNotices('idle', () => true);
    notices.tell('one', '');
    FakeNotification.permission = 'denied';
    notices.tell('two', '');
    expect(notices.canAsk).toBe(false);
    FakeNotification.permission = 'granted';
    new DesktopNotices('idle', () => false).tell('three', '');
    expect(FakeNotification.made).toEqual([]);
    expect(FakeNotification.requestPermission).not.toHaveBeenCalled();
  });

  it('can ask where nobody has answered yet', async () => {
    FakeNotification.permission = 'default';
    const notices = new DesktopNotices('idle', () => true);
    expect(notices.canAsk).toBe(true);
    expect(await notices.ask()).toBe(true);
    expect(new DesktopNotices('idle', () => false).canAsk).toBe(false);
  });

  it('survive a browser that has none from a page', () => {
    const debug = jest.spyOn(console, 'debug').mockImplementation();
    (window as any).Notification = class {
      static permission = 'granted';
      constructor() {
        throw new TypeError('Illegal constructor');
      }
    };
    new DesktopNotices('idle', () => true).tell('one', '');
    expect(debug).toHaveBeenCalledTimes(1);
    debug.mockRestore();
  });
});
