import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';

import { PersonInput } from '../../attention';
import { IdleActions } from '../actions';
import { DesktopNotices } from '../desktop';
import { PageReporter } from '../reporter';
import { Warnings } from '../warning';
import { answer, at, setUp, setVisible, warned } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');
const tick = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

describe('Warnings', () => {
  beforeEach(() => {
    jest.useFakeTimers();
    setVisible(true);
    document.title = 'JupyterLab';
  });

  afterEach(() => {
    Notification.dismiss();
    document.body.innerHTML = '';
    jest.useRealTimers();
  });

  async function begin(first = answer()) {
    const parts = setUp(first);
    const { model, source } = parts;
    const desktop = new DesktopNotices('test', () => true);
    const tell = jest.spyOn(desktop, 'tell');
    const input = new PersonInput(() => true);
    const reporter = new PageReporter(source, input, model);
    const actions = new IdleActions(model, desktop, trans);
    await model.refresh();
    new Warnings({ model, actions, reporter, desktop, trans });
    const end = async (): Promise<void> => {
      await parts.tell(answer());
      reporter.dispose();
      input.dispose();
      model.dispose();
    };
    const shown = (): string[] =>
      source.report.mock.calls
        .map(([{ shown }]) => shown)
        .filter((id): id is string => id !== undefined);
    return { ...parts, end, shown, desktop: tell };
  }

  const there = (): Notification.INotification[] =>
    Notification.manager.notifications;
  const labels = (): string[] =>
    there()[0].options.actions?.map(({ label }) => label) ?? [];
  const press = (label: string): void =>
    there()[0]
      .options.actions?.find(action => action.label === label)
      ?.callback(new MouseEvent('click'));

  /**
   * As JupyterLab shows notifications, unless the user wants none.
   */
  function showToast(): void {
    const toast = document.createElement('div');
    toast.id = there()[0].id;
    document.body.append(toast);
  }

  it('are nothing at all while the end is far', async () => {
    const { end } = await begin();
    await tick(60000);
    expect(there()).toEqual([]);
    expect(document.title).toBe('JupyterLab');
    await end();
  });

  it('come, are updated, and go with what the server says', async () => {
    const { end, tell } = await begin(warned());
    expect(there()[0].message).toMatch(
      /^This server stops at .*\.\nNothing has run since 11:28\.$/
    );
    expect(there()[0].options.autoClose).toBe(false);
    expect(labels()).toEqual([
      "I'm still here",
      'Keep for…',
      'Save and stop now',
      'Why?'
    ]);
    await tick(0);
    expect(document.title).toBe('⏳ JupyterLab');
    document.title = 'train.ipynb - JupyterLab';
    await tick(0);
    expect(document.title).toBe('⏳ train.ipynb - JupyterLab');
    const { id } = there()[0];
    await tell(warned({ id: 'two', level: 2, reason: 'Still nothing.' }));
    expect(there().map(one => one.id)).toEqual([id]);
    expect(there()[0].message).toContain('Still nothing.');
    await tell(answer());
    expect(there()).toEqual([]);
    await tick(0);
    expect(document.title).toBe('train.ipynb - JupyterLab');
    await end();
  });

  it('tell anew who has dismissed the one before, and do not insist', async () => {
    const { end, tell } = await begin(warned());
    Notification.dismiss(there()[0].id);
    await tell(warned());
    expect(there()).toEqual([]);
    await tell(warned({ id: 'two', level: 2 }));
    expect(there().length).toBe(1);
    await end();
  });

  it('offer nothing that does not help', async () => {
    const { end } = await begin(warned({ extendable: false }));
    expect(there()[0].message).toContain(', used or not.');
    expect(labels()).toEqual(['Save and stop now', 'Why?']);
    await end();
  });

  it('go when somebody says that they are here, with a word on what follows', async () => {
    const { end, source, told } = await begin(warned());
    told.answer = answer();
    press("I'm still here");
    await tick(0);
    expect(source.keepAlive.mock.calls).toEqual([[]]);
    expect(there().map(({ message }) => message)).toEqual([
      expect.stringMatching(/^It stops at .* unless it is used\.$/)
    ]);
    await end();
  });

  it('stay when the answer did not arrive, with what went wrong', async () => {
    const { end, source } = await begin(warned());
    source.keepAlive.mockRejectedValueOnce(new Error('no network'));
    press("I'm still here");
    await tick(0);
    const messages = there().map(({ message }) => message);
    expect(messages.length).toBe(2);
    expect(messages[0]).toContain('no network');
    expect(messages[1]).toContain('This server stops at');
    await end();
  });

  it('are reported as shown once they stand in a visible page', async () => {
    const { end, shown } = await begin(warned());
    await tick(200);
    expect(shown()).toEqual([]);
    setVisible(false);
    showToast();
    await tick(200);
    expect(shown()).toEqual([]);
    setVisible(true);
    await tick(200);
    expect(shown()).toEqual(['one']);
    await end();
  });

  it('are not reported as shown where the user wants no notifications', async () => {
    const { end, shown } = await begin(warned());
    await tick(60000);
    expect(shown()).toEqual([]);
    await end();
  });

  it('are told on the desktop, once for each level', async () => {
    const { desktop, end, tell } = await begin(warned());
    await tell(warned());
    await tell(warned({ id: 'two', level: 2, stops_at: at(1800) }));
    expect(desktop.mock.calls.map(([title]) => title)).toEqual([
      expect.stringContaining('This server stops at'),
      expect.stringContaining('This server stops at')
    ]);
    await end();
  });
});
