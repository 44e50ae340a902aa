import { TranslationBundle } from '@jupyterlab/translation';
import {
  Button,
  caretDownIcon,
  caretRightIcon
} from '@jupyterlab/ui-components';
import React, { useState } from 'react';

import { MlinfnError } from '../api';
import { ErrorView } from '../errorView';
import { formatBytes } from '../format';
import { useSignal } from '../hooks';
import { IEphemeral, IFoundFile, IFoundFolder, IListing } from './api';
import { Selection } from './selection';
import { countFiles, formatCount, formatMoment } from './words';

export interface ILossesProps {
  ephemeral: IEphemeral;
  /** The folder that JupyterLab shows, and the home: what lies right in them is listed apart. */
  bases: string[];
  selection: Selection;
  /** What would be lost in a folder. */
  list: (folder: string) => Promise<IListing>;
  trans: TranslationBundle;
}

/**
 * The files that would be lost, to be ticked: all of them where they are few, else the folders
 * at the top and the biggest.
 */
export function Losses(props: ILossesProps): JSX.Element {
  const { ephemeral, selection, trans } = props;
  useSignal(selection.changed);
  const { biggest, folders, more } = ephemeral;
  return (
    <>
      {more > 0 && (
        <Table caption={trans.__('Folders')} chosen={selection} trans={trans}>
          {folders.map(folder => (
            <Folder key={folder.path} {...props} folder={folder} depth={0} />
          ))}
        </Table>
      )}
      <Table
        caption={
          more > 0
            ? trans.__('The %1 biggest files', formatCount(biggest.length))
            : trans.__('Files')
        }
        chosen={more > 0 ? null : selection}
        trans={trans}
      >
        {biggest.map(file => (
          <File key={file.path} {...props} file={file} depth={0} />
        ))}
      </Table>
    </>
  );
}

/**
 * @param props.chosen what the box in its head ticks; no such box without it
 */
function Table(props: {
  caption: string;
  chosen: Selection | null;
  trans: TranslationBundle;
  children: React.ReactNode;
}): JSX.Element {
  const { caption, chosen, trans } = props;
  return (
    <div className="jp-mlinfn-Losses-scroll">
      <table className="jp-mlinfn-Table jp-mlinfn-Losses">
        <thead>
          <tr>
            <th scope="col">
              {chosen ? (
                <label className="jp-mlinfn-Losses-name">
                  <input
                    type="checkbox"
                    className="jp-mod-styled"
                    aria-label={trans.__('All')}
                    checked={chosen.isAll === true}
                    ref={box => {
                      if (box) {
                        box.indeterminate = chosen.isAll === null;
                      }
                    }}
                    onChange={() => chosen.setAll(chosen.isAll !== true)}
                  />
                  {caption}
                </label>
              ) : (
                caption
              )}
            </th>
            <th scope="col" className="jp-mlinfn-number">
              {trans.__('Size')}
            </th>
            <th scope="col" className="jp-mlinfn-number jp-mlinfn-optional">
              {trans.__('Changed')}
            </th>
          </tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </div>
  );
}

function File(
  props: ILossesProps & { file: IFoundFile; depth: number }
): JSX.Element {
  const { bases, file, depth, selection, trans } = props;
  const { path, size } = file;
  return (
    <tr>
      <th scope="row" style={indent(depth)}>
        <label className="jp-mlinfn-Losses-name" title={path}>
          <Box item={{ path, files: 1, bytes: size }} selection={selection} />
          <span>
            {depth > 0
              ? path.slice(path.lastIndexOf('/') + 1)
              : shorten(path, bases)}
          </span>
        </label>
      </th>
      <td className="jp-mlinfn-number">{formatBytes(size)}</td>
      <td className="jp-mlinfn-number jp-mlinfn-optional">
        {file.modified === null
          ? trans.__('not known')
          : formatMoment(file.modified)}
      </td>
    </tr>
  );
}

/**
 * A folder that shows what is in it when it is opened.
 */
function Folder(
  props: ILossesProps & { folder: IFoundFolder; depth: number }
): JSX.Element {
  const { bases, folder, depth, list, selection, trans } = props;
  const { path, files, bytes } = folder;
  const [isOpen, setOpen] = useState(false);
  const [listing, setListing] = useState<IListing | null>(null);
  const [error, setError] = useState<MlinfnError | null>(null);
  const isBase = bases.includes(path);
  const name = isBase
    ? trans.__('right in %1', shorten(path, []))
    : depth > 0
      ? path.slice(path.lastIndexOf('/') + 1)
      : shorten(path, bases);
  const toggle = (): void => {
    setOpen(!isOpen);
    if (!isOpen) {
      setError(null);
      list(path).then(setListing, thrown => setError(MlinfnError.from(thrown)));
    }
  };
  const Caret = isOpen ? caretDownIcon : caretRightIcon;
  const children = { ...props, depth: depth + 1 };
  return (
    <>
      <tr>
        <th scope="row" style={indent(depth)}>
          <div className="jp-mlinfn-Losses-name" title={path}>
            {!isBase && (
              <Box
                item={folder}
                label={trans.__('%1 and all in it', name)}
                selection={selection}
              />
            )}
            <Button
              minimal
              small
              className="jp-mlinfn-Losses-fold"
              aria-expanded={isOpen}
              aria-label={trans.__('What is in %1', name)}
              onClick={toggle}
            >
              <Caret.react tag="span" width="16px" height="16px" />
              <span>{name}</span>
            </Button>
            <span className="jp-mlinfn-hint">{countFiles(files, trans)}</span>
          </div>
        </th>
        <td className="jp-mlinfn-number">{formatBytes(bytes)}</td>
        <td className="jp-mlinfn-optional" />
      </tr>
      {isOpen && error && (
        <Note depth={depth + 1}>
          <ErrorView error={error} trans={trans} />
        </Note>
      )}
      {isOpen && !error && !listing && (
        <Note depth={depth + 1}>{trans.__('Loading…')}</Note>
      )}
      {isOpen && listing && (
        <>
          {!isBase &&
            listing.folders.map(each => (
              <Folder key={each.path} {...children} folder={each} />
            ))}
          {listing.files.map(each => (
            <File key={each.path} {...children} file={each} />
          ))}
          {listing.more > 0 && (
            <Note depth={depth + 1}>
              {trans.__('and %1 more files', formatCount(listing.more))}
            </Note>
          )}
          {listing.files.length + listing.folders.length === 0 && (
            <Note depth={depth + 1}>
              {trans.__('Nothing of it is there any more.')}
            </Note>
          )}
        </>
      )}
    </>
  );
}

function Note(props: {
  depth: number;
  children: React.ReactNode;
}): JSX.Element {
  return (
    <tr>
      <td colSpan={3} style={indent(props.depth)} className="jp-mlinfn-hint">
        {props.children}
      </td>
    </tr>
  );
}

function Box(props: {
  item: IFoundFolder;
  label?: string;
  selection: Selection;
}): JSX.Element {
  const { item, label, selection } = props;
  return (
    <input
      type="checkbox"
      className="jp-mod-styled"
      aria-label={label}
      checked={selection.isChosen(item.path)}
      disabled={selection.isDecided(item.path)}
      onChange={() => selection.toggle(item)}
    />
  );
}

function indent(depth: number): React.CSSProperties | undefined {
  return depth > 0 ? { paddingLeft: `${depth * 20}px` } : undefined;
}

/**
 * Below what JupyterLab shows, as it is shown there.
 */
function shorten(path: string, bases: string[]): string {
  const [root] = bases;
  return root !== undefined && path.startsWith(`${root}/`)
    ? path.slice(root.length + 1)
    : path;
}
