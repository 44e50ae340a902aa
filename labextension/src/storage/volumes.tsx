import { TranslationBundle } from '@jupyterlab/translation';
import {
  Button,
  checkIcon,
  infoIcon,
  LabIcon
} from '@jupyterlab/ui-components';
import React from 'react';

import { cautionIcon } from '../icons';
import { IVolume, Persistence } from './api';
import { describeType, filesOf, IUse, nameOfVolume, spaceOf } from './words';

const ORDER: Persistence[] = ['lasts', 'unknown', 'ephemeral'];

const ICONS: { [persistence in Persistence]: LabIcon } = {
  lasts: checkIcon,
  unknown: infoIcon,
  ephemeral: cautionIcon
};

/**
 * Folders that matter, by what becomes of them, and how full they are.
 */
export function Volumes(props: {
  volumes: IVolume[];
  /** Show a folder in the file browser. */
  browse: (path: string) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { volumes, browse, trans } = props;
  return (
    <table
      className="jp-mlinfn-Table jp-mlinfn-Volumes"
      aria-label={trans.__('Folders, and what becomes of them')}
    >
      <thead>
        <tr>
          <th scope="col">{trans.__('Folder')}</th>
          <th scope="col">{trans.__('Used')}</th>
        </tr>
      </thead>
      {ORDER.map(persistence => {
        const group = volumes.filter(one => one.persistence === persistence);
        const Icon = ICONS[persistence];
        return (
          group.length > 0 && (
            <tbody key={persistence} data-persistence={persistence}>
              <tr>
                <th
                  scope="rowgroup"
                  colSpan={2}
                  className="jp-mlinfn-Volumes-fate"
                >
                  <Icon.react
                    tag="span"
                    width="16px"
                    height="16px"
                    aria-hidden="true"
                  />
                  {describeFate(persistence, trans)}
                </th>
              </tr>
              {group.map(volume => (
                <Row
                  key={volume.path}
                  volume={volume}
                  browse={browse}
                  trans={trans}
                />
              ))}
            </tbody>
          )
        );
      })}
    </table>
  );
}

function describeFate(
  persistence: Persistence,
  trans: TranslationBundle
): string {
  switch (persistence) {
    case 'lasts':
      return trans.__('Still there when this server is started again');
    case 'ephemeral':
      return trans.__('Gone when this server stops');
    default:
      return trans.__('Not known whether it is still there after a stop');
  }
}

function Row(props: {
  volume: IVolume;
  browse: (path: string) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { volume, browse, trans } = props;
  const { path, root_path: root } = volume;
  const name = nameOfVolume(volume);
  const about = [
    describeType(volume.type, trans),
    volume.read_only ? trans.__('to be read only') : '',
    volume.why
  ];
  return (
    <tr>
      <th scope="row">
        {root === null ? (
          name
        ) : (
          <Button
            minimal
            small
            className="jp-mlinfn-Link"
            title={trans.__('Show %1 in the file browser', path)}
            onClick={() => browse(root)}
          >
            {name}
          </Button>
        )}
        {name !== path && !root && (
          <span className="jp-mlinfn-Volumes-path">{path}</span>
        )}
        <span className="jp-mlinfn-hint">
          {about.filter(part => part).join(' · ')}
        </span>
      </th>
      <td>
        {volume.state === 'silent' ? (
          <span className="jp-mlinfn-Volumes-silent">
            <cautionIcon.react
              tag="span"
              width="14px"
              height="14px"
              aria-hidden="true"
            />
            {trans.__('It does not answer.')}
          </span>
        ) : (
          <div className="jp-mlinfn-Volumes-uses">
            <Use
              use={spaceOf(volume, trans)}
              label={trans.__('Space used in %1', name)}
              title={trans.__('Space')}
              trans={trans}
            />
            <Use
              use={filesOf(volume, trans)}
              label={trans.__('Files in %1', name)}
              title={trans.__('Files')}
              trans={trans}
            />
          </div>
        )}
      </td>
    </tr>
  );
}

/**
 * A bar with its figures; the figures only where there is nothing to be drawn.
 */
function Use(props: {
  use: IUse;
  label: string;
  title: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { use, label, title, trans } = props;
  const { share } = use;
  const percent = share === null ? null : Math.floor(share * 1000) / 10;
  const level =
    share === null || share < 0.9 ? 'ok' : share < 0.98 ? 'warn' : 'error';
  return (
    <div className="jp-mlinfn-Use">
      {percent !== null && (
        <div
          className="jp-mlinfn-Use-bar"
          role="progressbar"
          aria-label={label}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={percent}
          aria-valuetext={use.text}
          data-level={level}
        >
          <div style={{ width: `${percent}%` }} />
        </div>
      )}
      <span className="jp-mlinfn-Use-text">
        <span className="jp-mlinfn-hint">{title}</span> {use.text}
        {level !== 'ok' &&
          ' · ' +
            (level === 'warn' ? trans.__('nearly full') : trans.__('full'))}
      </span>
    </div>
  );
}
