import { ServerConnection } from '@jupyterlab/services';

import { isAborted, MlinfnError, query, request } from '../api';

const settings = (answer: () => Promise<Response>) =>
  ServerConnection.makeSettings({
    baseUrl: 'http://example.test/user/me/',
    fetch: answer
  });

describe('request', () => {
  it('returns the JSON body', async () => {
    const answer = new Response('{"jobs": []}', { status: 200 });
    expect(
      await request(
        'jobs',
        settings(() => Promise.resolve(answer))
      )
    ).toEqual({ jobs: [] });
  });

  it('asks below the base URL', async () => {
    const asked: string[] = [];
    const made = ServerConnection.makeSettings({
      baseUrl: 'http://example.test/user/me/',
      fetch: (input: RequestInfo | URL) => {
        asked.push((input as Request).url);
        return Promise.resolve(new Response('{}'));
      }
    });
    await request('jobs/a%2Fb', made);
    expect(asked[0]).toMatch(
      /^http:\/\/example\.test\/user\/me\/api\/mlinfn\/jobs\/a%2Fb/
    );
  });

  it('answers 204 with nothing', async () => {
    const answer = new Response(null, { status: 204 });
    expect(
      await request(
        'jobs',
        settings(() => Promise.resolve(answer))
      )
    ).toBeUndefined();
  });

  it("rejects with the server's own words", async () => {
    const body = {
      message: 'nunpy is in none of the channels.',
      reason: 'No candidates',
      hint: 'Check the spelling.',
      fields: { specs: [{ value: 'nunpy', message: 'unknown' }] }
    };
    const answer = new Response(JSON.stringify(body), { status: 422 });
    const thrown: MlinfnError = await request<never>(
      'envs',
      settings(() => Promise.resolve(answer))
    ).catch(error => error);
    expect(thrown).toBeInstanceOf(MlinfnError);
    expect(thrown.status).toBe(422);
    expect(thrown.message).toBe(body.message);
    expect(thrown.reason).toBe(body.reason);
    expect(thrown.hint).toBe(body.hint);
    expect(thrown.fields).toEqual(body.fields);
    expect(thrown.isNetwork).toBe(false);
  });

  it('gives the status where a proxy answers with HTML', async () => {
    const answer = new Response('<html>', {
      status: 502,
      statusText: 'Bad Gateway'
    });
    await expect(
      request(
        'envs',
        settings(() => Promise.resolve(answer))
      )
    ).rejects.toMatchObject({ message: '502 Bad Gateway', status: 502 });
  });

  it('tells a lost connection from an answer', async () => {
    await expect(
      request(
        'envs',
        settings(() => Promise.reject(new TypeError('refused')))
      )
    ).rejects.toMatchObject({ isNetwork: true });
  });

  it('tells a request that was given up from a failed one', async () => {
    // Given up before it is sent: jsdom's signal is none for the Request of Node 24.
    const abort = new AbortController();
    abort.abort();
    const failing = settings(() => Promise.reject(new TypeError('aborted')));
    const thrown = await request('envs', failing, {
      signal: abort.signal
    }).catch(error => error);
    expect(isAborted(thrown)).toBe(true);
  });
});

describe('query', () => {
  it('leaves out what is undefined and escapes the rest', () => {
    expect(query({ q: 'a b&c', channels: undefined, limit: 3 })).toBe(
      '?q=a%20b%26c&limit=3'
    );
    expect(query({ channels: undefined })).toBe('');
  });
});
