import { JupyterFrontEnd } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import type { FileBrowser, IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { Contents } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';

import { MlinfnError } from '../api';
import { IServerEvents } from '../events';
import { CommandIDs, StorageActions } from './actions';
import { IPlace, StorageApi } from './api';
import type { Badge } from './badge';
import { destination, isWithin, Places } from './model';
import type { Mover } from './move';
import type { Notices } from './notice';
import { nameOfPrivate } from './words';

/** Milliseconds without a word from the server before the folder is asked about again. */
const QUIET = 1500;

export interface IRoom {
  app: JupyterFrontEnd;
  actions: StorageActions;
  api: StorageApi;
  browser: FileBrowser;
  browsers: IFileBrowserFactory | null;
  documents: IDocumentManager;
  events: IServerEvents;
  places: Places;
  setting: { readonly isOn: boolean; switchOff(): Promise<void> };
  trans: TranslationBundle;
}

/**
 * Watch folders and files for those that do not last. What says so is loaded when there is
 * the first of them: where all lasts, this is all there is.
 */
export function addToBrowser(room: IRoom): void {
  const { app, places, trans } = room;
  const parts = once(() => load(room));
  followFolder(room);
  followFiles(room, parts);

  const paths = (args: { paths?: unknown }): string[] =>
    Array.isArray(args.paths)
      ? args.paths.map(String)
      : selected(room).map(({ path }) => path);
  const canMove = (path: string): boolean => {
    const place = places.known(PathExt.dirname(path));
    // What the folder that lasts lies in does not go into it.
    return (
      place?.persistence === 'ephemeral' &&
      destination(path, place) !== null &&
      !isWithin(place.private?.root_path ?? '', path)
    );
  };
  const isPossible = (args: { paths?: unknown }): boolean => {
    const all = paths(args);
    return all.length > 0 && all.every(canMove);
  };
  app.commands.addCommand(CommandIDs.move, {
    label: args => {
      const [first = ''] = paths(args);
      const place = places.known(PathExt.dirname(first));
      return trans.__('Move to %1', nameOfPrivate(place?.private ?? null));
    },
    caption: trans.__('Move it to the folder that lasts'),
    isEnabled: isPossible,
    isVisible: isPossible,
    execute: async args => {
      const { mover } = await parts();
      await mover.move(paths(args));
    },
    describedBy: {
      args: {
        type: 'object',
        properties: {
          paths: {
            type: 'array',
            items: { type: 'string' },
            description: 'What is moved; else what is selected'
          }
        }
      }
    }
  });
}

/**
 * Show in the file browser what becomes of its folder, and ask once for each.
 */
function followFolder(room: IRoom): void {
  const { actions, browser, events, places, trans } = room;
  let badge: Promise<Badge> | null = null;
  const show = async (place: IPlace | null): Promise<void> => {
    if (badge || (place && place.persistence !== 'lasts')) {
      badge ??= import('./badge').then(({ Badge, putInto }) => {
        const made = new Badge(() => void actions.open(), trans);
        putInto(browser, made);
        return made;
      });
      (await badge).tell(place);
    }
  };
  const look = async (): Promise<void> => {
    const { path } = browser.model;
    const folder = localOf(room, path);
    let place: IPlace | null = null;
    try {
      place = folder === null ? null : await places.get(folder);
    } catch (thrown) {
      if (MlinfnError.from(thrown).isNetwork) {
        events.connectionLost();
        return;
      }
    }
    if (browser.model.path === path) {
      await show(place);
    }
  };
  browser.model.pathChanged.connect(() => void look());
  // While files are counted the server says again and again that there is more to read.
  let quiet = 0;
  places.forgotten.connect(() => {
    clearTimeout(quiet);
    quiet = window.setTimeout(() => void look(), QUIET);
  });
  void browser.model.restored.then(look);
}

/**
 * Have something said of files that are made or saved where they do not last.
 */
function followFiles(room: IRoom, parts: () => Promise<IParts>): void {
  const { contents } = room.app.serviceManager;
  const onFile = async (change: Contents.IChangedArgs): Promise<void> => {
    const file = change.newValue;
    const path = file?.path;
    if (
      !room.setting.isOn ||
      path === undefined ||
      (change.type !== 'new' && change.type !== 'save') ||
      file?.type === 'directory' ||
      localOf(room, path) === null
    ) {
      return;
    }
    const place = await room.places.get(PathExt.dirname(path));
    if (place.persistence === 'ephemeral') {
      (await parts()).notices.add(path, change.type === 'new');
    }
  };
  contents.fileChanged.connect((_, change) => {
    onFile(change).catch(reason => {
      console.warn('It could not be found out whether it lasts.', reason);
    });
  });
}

interface IParts {
  mover: Mover;
  notices: Notices;
}

async function load(room: IRoom): Promise<IParts> {
  const { actions, api, app, documents, places, setting, trans } = room;
  const [{ Mover }, { Notices }, { OpenDocuments }] = await Promise.all([
    import('./move'),
    import('./notice'),
    import('./openDocuments')
  ]);
  const { contents } = app.serviceManager;
  const open = new OpenDocuments(app, documents, trans);
  const mover = new Mover({
    contents,
    places,
    storage: () => api.read(),
    documents: open,
    trans
  });
  const notices = new Notices({
    contents,
    places,
    mover,
    isOpen: path => open.isOpen(path),
    isWanted: () => setting.isOn,
    sayNoMore: () => {
      setting.switchOff().catch(reason => {
        console.warn('The setting could not be written.', reason);
      });
    },
    open: () => void actions.open(),
    trans
  });
  return { mover, notices };
}

/**
 * What is selected in the file browser that was used last, where it shows this server's files.
 */
function selected(room: IRoom): Contents.IModel[] {
  const browser = room.browsers?.tracker.currentWidget ?? room.browser;
  const items = Array.from(browser.selectedItems());
  return items.some(({ path }) => localOf(room, path) === null) ? [] : items;
}

/**
 * The path as the server has it; null on another drive than that of the default file browser.
 */
function localOf({ app, browser }: IRoom, path: string): string | null {
  const { contents } = app.serviceManager;
  return contents.driveName(path) === browser.model.driveName
    ? contents.localPath(path)
    : null;
}

/**
 * Do it at the first call only, unless it failed.
 */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | null = null;
  return () => {
    result ??= work().catch(thrown => {
      result = null;
      throw thrown;
    });
    return result;
  };
}
