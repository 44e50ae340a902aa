import { JupyterFrontEnd } from '@jupyterlab/application';
import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, render, screen, within } from '@testing-library/react';
import React from 'react';

import { MlinfnError } from '../../api';
import { IJob } from '../../jobs/api';
import { JobsModel } from '../../jobs/model';
import { Jobs } from '../../jobs/registry';
import { job } from '../../jobs/__tests__/fakes';
import { StorageActions } from '../actions';
import { IStorageAnswer } from '../api';
import { Content } from '../panel';
import { StorageModel } from '../panelModel';
import { rescuePresenter } from '../presenters';
import { answer, ephemeral, file, rescue, volume } from './fakes';

const trans = nullTranslator.load('jupyter_mlinfn');

async function show(first: IStorageAnswer | MlinfnError) {
  const told: { answer: IStorageAnswer | MlinfnError } = { answer: first };
  const source = {
    read: jest.fn(async () => {
      if (told.answer instanceof MlinfnError) {
        throw told.answer;
      }
      return told.answer;
    }),
    count: jest.fn(async () => told.answer as IStorageAnswer)
  };
  const listed: IJob[] = [];
  const api = {
    files: jest.fn(async (folder: string) => ({
      folder,
      files: [file('plots/loss.png', 0.2e9)],
      folders: [],
      more: 3
    })),
    rescue: jest.fn(async () => {
      listed.push(job({ id: 'r1', kind: 'rescue' }));
      return listed[0];
    })
  };
  const jobsModel = new JobsModel({
    list: async () => listed,
    remove: async () => undefined,
    clear: async () => undefined,
    resume: async () => job()
  });
  const jobs = new Jobs({} as any, jobsModel, trans);
  const executed: unknown[] = [];
  const app = {
    commands: {
      hasCommand: () => true,
      execute: async (id: string, args: unknown) => executed.push([id, args])
    }
  };
  const actions = new StorageActions(app as unknown as JupyterFrontEnd);
  jobs.addPresenter(
    'rescue',
    rescuePresenter(actions, () => true, trans)
  );
  const model = new StorageModel(source);
  const { container } = render(
    <Content
      model={model}
      api={api}
      jobs={jobs}
      actions={actions}
      trans={trans}
    />
  );
  await act(() => model.setShown(true));
  return { api, container, executed, jobsModel, model, source, told };
}

describe('the storage panel', () => {
  afterEach(() => {
    document.body.innerHTML = '';
  });

  it('says what lasts and what does not, in words', async () => {
    const { executed } = await show(answer());
    const table = screen.getByRole('table', {
      name: 'Folders, and what becomes of them'
    });
    const groups = within(table).getAllByRole('rowgroup');
    expect(groups[1].textContent).toContain(
      'Still there when this server is started again'
    );
    expect(groups[1].textContent).toContain('network, NFS');
    expect(groups[2].textContent).toContain('Gone when this server stops');
    expect(groups[2].textContent).toContain('part of the container, overlay');
    const bar = screen.getByRole('progressbar', {
      name: 'Space used in private'
    });
    expect(bar.getAttribute('aria-valuenow')).toBe('24');
    expect(bar.getAttribute('aria-valuetext')).toBe('12 of 50 GB');
    fireEvent.click(screen.getByRole('button', { name: 'private' }));
    expect(executed).toEqual([
      ['filebrowser:go-to-path', { path: '/private' }]
    ]);
  });

  it('tells a volume that does not answer, and what is not reported', async () => {
    const silent = { size_bytes: null, used_bytes: null, free_bytes: null };
    const { container } = await show(
      answer({
        volumes: [
          volume({ ...silent, state: 'silent' }),
          volume({ ...silent, name: 'shared', path: '/s', root_path: 'shared' })
        ]
      })
    );
    expect(container.textContent).toContain('It does not answer.');
    expect(container.textContent).toContain('Space not reported');
    expect(screen.queryAllByRole('progressbar')).toHaveLength(0);
    expect(container.textContent).not.toContain('0 B');
  });

  it('keeps all but what is unticked', async () => {
    const { api, container } = await show(answer());
    expect(container.textContent).toContain(
      '2 files, 1.2 GB: made or changed since this server started'
    );
    // Few files: no folders to choose from.
    expect(screen.getAllByRole('checkbox')).toHaveLength(3);
    fireEvent.click(screen.getByRole('checkbox', { name: 'model.ckpt' }));
    expect(container.textContent).toContain('A copy of 1 file, 200 MB');
    await act(async () => {
      fireEvent.click(
        screen.getByRole('button', { name: 'Keep in private/rescued' })
      );
    });
    expect(api.rescue).toHaveBeenCalledWith({
      paths: null,
      except: ['/work/model.ckpt']
    });
    expect(container.textContent).toContain('Keeping files');
    expect(
      (
        screen.getByRole('button', {
          name: 'Keep in private/rescued'
        }) as HTMLButtonElement
      ).disabled
    ).toBe(true);
  });

  it('tells where they are, what was left and why', async () => {
    const { container, executed, jobsModel } = await show(answer());
    const running = job({ id: 'r1', kind: 'rescue' });
    act(() => jobsModel.adopt(running));
    await act(async () =>
      jobsModel.adopt({
        ...running,
        state: 'done',
        result: {
          folder: '/work/private/rescued/1',
          root_path: 'private/rescued/1',
          files: 1,
          bytes: 1e9,
          manifest: 'm',
          left: [{ path: '/work/pipe', size: null, reason: 'It is a pipe.' }],
          left_count: 4,
          left_bytes: 5e6,
          changed: ['/work/log.txt'],
          problem: null
        }
      })
    );
    expect(container.textContent).toContain(
      '1 file, 1 GB kept in private/rescued/1'
    );
    expect(container.textContent).toContain(
      '4 files were left where they are (5 MB)'
    );
    screen.getByRole('row', { name: /pipe .*It is a pipe/ });
    expect(container.textContent).toContain('and 3 more');
    expect(container.textContent).toContain('/work/log.txt');
    fireEvent.click(screen.getByRole('button', { name: 'Show the folder' }));
    expect(executed).toEqual([
      ['filebrowser:go-to-path', { path: '/private/rescued/1' }]
    ]);
  });

  it('says what stays of a cancelled one, and reads again', async () => {
    const { container, jobsModel, source } = await show(answer());
    const running = job({
      id: 'r1',
      kind: 'rescue',
      subject: { folder: 'private/rescued' }
    });
    act(() => jobsModel.adopt(running));
    const before = source.read.mock.calls.length;
    await act(async () => jobsModel.adopt({ ...running, state: 'cancelled' }));
    expect(container.textContent).toContain(
      'Keeping files was cancelled. What was copied until then is whole, and stays in private/rescued.'
    );
    expect(source.read).toHaveBeenCalledTimes(before + 1);
  });

  it('opens folders where there are many files', async () => {
    const { api, container } = await show(
      answer({ ephemeral: ephemeral({ more: 5000, files: 5002 }) })
    );
    // What lies right in the top folder is not ticked as a whole.
    expect(screen.queryByRole('checkbox', { name: /^right in/ })).toBeNull();
    const fold = screen.getByRole('button', { name: 'What is in plots' });
    expect(fold.getAttribute('aria-expanded')).toBe('false');
    await act(async () => {
      fireEvent.click(fold);
    });
    expect(api.files).toHaveBeenCalledWith('/work/plots');
    expect(container.textContent).toContain('and 3 more files');
    fireEvent.click(
      screen.getByRole('checkbox', { name: 'plots and all in it' })
    );
    const inIt = screen.getByRole('checkbox', {
      name: 'loss.png'
    }) as HTMLInputElement;
    expect([inIt.checked, inIt.disabled]).toEqual([false, true]);
    expect(container.textContent).toContain('A copy of 5,001 files');
  });

  it('counts when somebody looks for the first time, and again when asked', async () => {
    const { container, source, told } = await show(
      answer({ ephemeral: ephemeral({ state: 'unknown', files: 0 }) })
    );
    expect(source.count).toHaveBeenCalledTimes(1);
    told.answer = answer({
      ephemeral: ephemeral({ files: 0, bytes: 0, biggest: [] })
    });
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Look again' }));
    });
    expect(source.count).toHaveBeenCalledTimes(2);
    expect(container.textContent).toContain('None. What is made or changed');
    expect(screen.queryByRole('button', { name: /^Keep/ })).toBeNull();
  });

  it('says why nothing can be kept, and what was kept before', async () => {
    const { container } = await show(
      answer({
        rescue: rescue({
          possible: false,
          reason: 'No folder lasts.',
          last: {
            folder: 'private/rescued/0',
            time: '2026-11-24T01:00:00Z',
            files: 3,
            bytes: 1e6,
            left: 1
          }
        })
      })
    );
    expect(container.textContent).toContain('No folder lasts.');
    expect(container.textContent).toContain(
      'Kept before, in private/rescued/0: 3 files, 1 MB'
    );
    expect(screen.queryByRole('button', { name: /^Keep/ })).toBeNull();
  });

  it('says what failed, and tries again', async () => {
    const { container, told } = await show(
      new MlinfnError(
        { message: 'The table of mounts cannot be read.', reason: null },
        500
      )
    );
    screen.getByRole('alert');
    told.answer = answer();
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Try again' }));
    });
    expect(container.textContent).toContain('Files that would be lost');
  });
});

describe('StorageModel', () => {
  it('reads only while somebody looks', async () => {
    const source = {
      read: jest.fn(async () => answer()),
      count: jest.fn(async () => answer())
    };
    const model = new StorageModel(source);
    await model.refresh();
    expect(source.read).toHaveBeenCalledTimes(0);
    await model.setShown(true);
    expect(source.read).toHaveBeenCalledTimes(1);
    await model.setShown(false);
    await model.setShown(true);
    expect(source.read).toHaveBeenCalledTimes(1);
    await model.setShown(false);
    await model.refresh();
    await model.setShown(true);
    expect(source.read).toHaveBeenCalledTimes(2);
    expect(source.count).toHaveBeenCalledTimes(0);
  });
});
