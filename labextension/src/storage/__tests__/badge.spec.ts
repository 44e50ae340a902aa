import { nullTranslator } from '@jupyterlab/translation';
import { Toolbar } from '@jupyterlab/ui-components';
import { Panel, Widget } from '@lumino/widgets';
import { act, fireEvent } from '@testing-library/react';

import { Badge, putInto } from '../badge';
import { place } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

async function show(badge: Badge): Promise<void> {
  await act(async () => {
    badge.update();
    await badge.renderPromise;
  });
}

describe('Badge', () => {
  it('says what does not last and why, and nothing where it does', async () => {
    const open = jest.fn();
    const badge = new Badge(open, trans);
    act(() => Widget.attach(badge, document.body));
    badge.tell(place());
    await show(badge);
    const button = badge.node.querySelector('button')!;
    expect(badge.isHidden).toBe(false);
    expect(button.textContent).toBe('Does not last');
    expect(button.title).toContain('It is part of the container.');
    fireEvent.click(button);
    expect(open).toHaveBeenCalledTimes(1);

    badge.tell(place({ persistence: 'unknown' }));
    await show(badge);
    expect(badge.node.textContent).toBe('May not last');

    badge.tell(place({ persistence: 'lasts' }));
    await show(badge);
    expect(badge.isHidden).toBe(true);
    expect(badge.node.textContent).toBe('');
    badge.dispose();
  });

  it('stands between the path and the list', () => {
    const browser = { content: new Panel(), toolbar: new Toolbar() };
    const main = new Panel();
    main.addClass('jp-FileBrowser-Panel');
    const crumbs = new Widget();
    crumbs.addClass('jp-FileBrowser-crumbs');
    const listing = new Widget();
    main.addWidget(crumbs);
    main.addWidget(listing);
    browser.content.addWidget(main);
    const badge = new Widget();
    putInto(browser as any, badge);
    expect(main.widgets).toEqual([crumbs, badge, listing]);
  });

  it('goes into the toolbar of a file browser with other parts', () => {
    const browser = { content: new Panel(), toolbar: new Toolbar() };
    putInto(browser as any, new Widget());
    expect(Array.from(browser.toolbar.names())).toEqual(['mlinfn-storage']);
  });
});
