import { PageConfig } from '@jupyterlab/coreutils';
import { TranslationBundle } from '@jupyterlab/translation';
import {
  Button,
  closeIcon,
  fileIcon,
  folderIcon,
  LabIcon,
  ReactWidget
} from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import React, { useEffect, useState } from 'react';

import { cautionIcon, leafIcon } from '../icons';
import { IStopped } from './api';
import { WelcomeModel } from './welcomeModel';
import {
  describeFreed,
  describeLeft,
  describeLost,
  inFiles,
  inSentence,
  nameOf
} from './words';

/** As many documents as the card offers. */
const MOST = 8;

export interface IWelcomeOptions {
  model: WelcomeModel;
  /** Where a document can be opened: to do so. */
  openDocument: (path: string) => void;
  openFolder: (path: string) => void;
  /** Whether it is still there; true where nobody knows. */
  exists: (path: string) => Promise<boolean>;
  trans: TranslationBundle;
}

/**
 * The card that is there after a stop. It takes no focus and stands in no way.
 */
export class WelcomeCard extends ReactWidget {
  constructor(options: IWelcomeOptions) {
    super();
    this._options = options;
    this.id = 'jp-mlinfn-welcome';
    this.addClass('jp-mlinfn-Welcome');
    this.addClass('jp-ThemedContainer');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-labelledby', 'jp-mlinfn-welcome-title');
    this.node.addEventListener('keydown', event => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        void options.model.dismiss();
      }
    });
    options.model.changed.connect(this._onChanged, this);
    this._onChanged();
  }

  /**
   * Give it the focus, for who has no pointer.
   */
  focus(): void {
    this.node.querySelector<HTMLElement>('button')?.focus();
  }

  protected render(): JSX.Element | null {
    const { model, trans } = this._options;
    return model.stopped === null ? null : (
      <Welcome
        {...this._options}
        stopped={model.stopped}
        dismiss={() => void model.dismiss()}
        trans={trans}
      />
    );
  }

  private _onChanged(): void {
    const { stopped } = this._options.model;
    if (stopped !== null && !this.isAttached) {
      Widget.attach(this, document.body);
    } else if (stopped === null && this.isAttached) {
      this.dispose();
    } else {
      this.update();
    }
  }

  private _options: IWelcomeOptions;
}

export function Welcome(
  props: Omit<IWelcomeOptions, 'model'> & {
    stopped: IStopped;
    dismiss: () => void;
  }
): JSX.Element {
  const { stopped, dismiss, exists, openDocument, openFolder, trans } = props;
  const { failed, lost, open, rescue, sentence, silent, time } = stopped;
  const places = usePlaces(open, rescue?.root_path ?? null, exists);
  // Of a computer of one's own nobody else had anything.
  const isShared =
    stopped.freed.gpu.length > 0 || PageConfig.getOption('hubPrefix') !== '';
  const freed = isShared ? describeFreed(stopped, trans) : '';
  const left = rescue === null ? '' : describeLeft(rescue, trans);
  const warn = (key: string, text: string): JSX.Element => (
    <Row key={key} name={key} icon={cautionIcon} state="warn">
      {text}
    </Row>
  );
  return (
    <>
      <div className="jp-mlinfn-Welcome-head">
        <leafIcon.react tag="span" width="20px" height="20px" />
        <h2 id="jp-mlinfn-welcome-title">{trans.__('Welcome back')}</h2>
        <Button
          minimal
          small
          title={trans.__('Close')}
          aria-label={trans.__('Close')}
          onClick={dismiss}
        >
          <closeIcon.react tag="span" width="16px" height="16px" />
        </Button>
      </div>
      <p className="jp-mlinfn-Welcome-text">
        {trans.__(
          'Your server was stopped %1.',
          inSentence(Date.parse(time), Date.now(), trans)
        )}{' '}
        {sentence}
      </p>
      {freed && (
        <p className="jp-mlinfn-Welcome-text jp-mlinfn-hint">{freed}</p>
      )}
      <ul className="jp-mlinfn-Welcome-rows">
        {rescue !== null && rescue.files > 0 && (
          <Row name="rescued" icon={folderIcon}>
            {trans.__(
              'Kept: %1 in ',
              inFiles(rescue.files, rescue.bytes, trans)
            )}
            {rescue.root_path === null ? (
              rescue.folder
            ) : (
              <Link
                text={rescue.root_path}
                run={() => openFolder(rescue.root_path as string)}
              />
            )}
          </Row>
        )}
        {left && warn('left', trans.__('Not kept: %1', left))}
        {rescue !== null &&
          rescue.changed.length > 0 &&
          warn(
            'changed',
            trans.__(
              'Changed while they were copied: %1.',
              rescue.changed.map(nameOf).join(', ')
            )
          )}
        {lost !== null &&
          // Else it is what was just said not to be kept.
          lost.files > (rescue?.left_count ?? 0) &&
          warn('lost', describeLost(lost, trans))}
        {failed.map(({ path, reason }) =>
          warn(`failed-${path}`, trans.__('Not saved: %1. %2', path, reason))
        )}
        {silent > 0 &&
          warn(
            'silent',
            trans._n(
              '%1 page did not answer before the stop: what was not saved there is lost, unless it is still open.',
              '%1 pages did not answer before the stop: what was not saved there is lost, unless they are still open.',
              silent
            )
          )}
        {open.length > 0 && (
          <Row name="open" icon={fileIcon}>
            {trans.__('These were open:')}
            <ul className="jp-mlinfn-Welcome-documents">
              {open.slice(0, MOST).map(path => {
                const place = places.get(path) ?? path;
                return (
                  <li key={path}>
                    {place === GONE ? (
                      <span className="jp-mlinfn-hint">
                        {trans.__('%1 (no longer there)', path)}
                      </span>
                    ) : (
                      <Link
                        text={nameOf(path)}
                        title={place}
                        run={() => openDocument(place)}
                      />
                    )}
                    {place !== GONE && place !== path && (
                      <span className="jp-mlinfn-hint">
                        {' '}
                        {trans.__('(the copy that was kept)')}
                      </span>
                    )}
                  </li>
                );
              })}
              {open.length > MOST && (
                <li className="jp-mlinfn-hint">
                  {trans.__('and %1 more', String(open.length - MOST))}
                </li>
              )}
            </ul>
          </Row>
        )}
      </ul>
    </>
  );
}

function Row(props: {
  name: string;
  icon: LabIcon;
  state?: 'warn';
  children: React.ReactNode;
}): JSX.Element {
  const { children, icon: Icon, name, state } = props;
  return (
    <li data-row={name}>
      <span className="jp-mlinfn-Session-mark" data-state={state}>
        <Icon.react tag="span" width="16px" height="16px" />
      </span>
      <div>{children}</div>
    </li>
  );
}

function Link(props: {
  text: string;
  title?: string;
  run: () => void;
}): JSX.Element {
  return (
    <Button
      minimal
      className="jp-mlinfn-Link"
      title={props.title ?? props.text}
      onClick={props.run}
    >
      {props.text}
    </Button>
  );
}

/** Of a document that is nowhere. */
const GONE = '';

/**
 * Where the documents are now: where they were, or as a copy that was kept.
 */
function usePlaces(
  open: string[],
  rescued: string | null,
  exists: (path: string) => Promise<boolean>
): Map<string, string> {
  const [places, setPlaces] = useState(new Map<string, string>());
  useEffect(() => {
    let isOver = false;
    const find = async (path: string): Promise<[string, string]> => {
      const copies = rescued === null ? [] : [`${rescued}/${path}`];
      for (const place of [path, ...copies]) {
        if (await exists(place)) {
          return [path, place];
        }
      }
      return [path, GONE];
    };
    void Promise.all(open.slice(0, MOST).map(find)).then(found => {
      if (!isOver) {
        setPlaces(new Map(found));
      }
    });
    return () => {
      isOver = true;
    };
  }, [open.join('\n'), rescued]);
  return places;
}
