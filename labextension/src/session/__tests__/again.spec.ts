import { PageConfig } from '@jupyterlab/coreutils';

import { howToStart, isStillStopping } from '../again';
import { answer } from './fakes';

const server = (url: string | null) => ({
  ...answer().server,
  again: { url, command: 'jupyter lab' }
});

describe('how a server is started again', () => {
  const options: { [name: string]: string } = {};

  function set(user: string, name = '', prefix = '/hub/'): void {
    Object.assign(options, {
      hubPrefix: prefix,
      hubUser: user,
      hubServerName: name
    });
    for (const option of Object.keys(options)) {
      PageConfig.setOption(option, options[option]);
    }
  }

  afterEach(() => set('', '', ''));

  it('is by its command without a hub', () => {
    expect(howToStart(server(null))).toEqual({
      url: null,
      command: 'jupyter lab'
    });
    expect(howToStart(null)).toEqual({ url: null, command: null });
  });

  it('is by the hub’s page for that server', () => {
    set('ada');
    const told = howToStart(server('/hub/spawn/ada/gpu'));
    expect(told.url).toMatch(/^\/hub\/spawn\/ada\/gpu\?next=%2F/);
    expect(told.command).toBe(null);
  });

  it('is at the hub’s own host where it has one', () => {
    set('ada');
    PageConfig.setOption('hubHost', 'https://hub.example');
    const url = 'https://hub.example/hub/spawn/ada/gpu';
    expect(howToStart(server(url)).url).toMatch(
      /^https:\/\/hub.example\/hub\/spawn\/ada\/gpu\?next=/
    );
    PageConfig.setOption('hubHost', '');
  });

  it('is made of what the hub wrote into the page where nothing was told', () => {
    set('ada b@c', 'my gpu');
    expect(howToStart(null).url).toMatch(
      /^\/hub\/spawn\/ada%20b%40c\/my%20gpu\?next=/
    );
    set('ada');
    expect(howToStart(null).url).toMatch(/^\/hub\/spawn\/ada\?next=/);
  });

  it.each([
    'https://elsewhere.example/hub/spawn/ada',
    '//elsewhere.example/hub/spawn/ada',
    '/user/eve/lab',
    '/hub/spawn/../../evil',
    'javascript:alert(1)',
    '/hub/spawn/ada?next=//elsewhere.example'
  ])('never leads elsewhere: %s', url => {
    set('ada');
    expect(howToStart(server(url)).url).toMatch(/^\/hub\/spawn\/ada\?next=%2F/);
  });
});

describe('a hub that is asked to start a server', () => {
  const shown = (status: number, text: string) => {
    window.fetch = jest.fn(() =>
      Promise.resolve({ status, text: () => Promise.resolve(text) })
    ) as unknown as typeof fetch;
  };
  const url = '/hub/spawn/ada/gpu?next=%2F';

  it('is waited for while it stops it', async () => {
    shown(200, 'Your server is stopping.');
    expect(await isStillStopping(url)).toBe(true);
    expect(window.fetch).toHaveBeenCalledWith(
      '/hub/spawn-pending/ada/gpu',
      expect.objectContaining({ redirect: 'manual' })
    );
    shown(200, '<a href="/hub/spawn/ada/gpu">Launch</a>');
    expect(await isStillStopping(url)).toBe(false);
  });

  it('is not waited for where nobody knows', async () => {
    shown(0, '');
    expect(await isStillStopping(url)).toBe(false);
    window.fetch = jest.fn(() => Promise.reject(new TypeError('no network')));
    expect(await isStillStopping(url)).toBe(false);
    expect(await isStillStopping('https://hub.example/hub/spawn/ada')).toBe(
      false
    );
    expect(window.fetch).toHaveBeenCalledTimes(1);
  });
});
