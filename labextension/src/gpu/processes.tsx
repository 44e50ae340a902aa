import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React, { useId, useRef, useState } from 'react';

import { useSignal } from '../hooks';
import { GpuActions } from './actions';
import { IGpuDevice, IGpuProcesses } from './api';
import { arrange, canBeFreed, holdersOf, IHolder, IListed } from './holders';
import { Release } from './release';
import { describeHeld, formatMemory, numberAmong, shortName } from './words';

const LINK = 'jp-mlinfn-Link';

/**
 * What holds the memory, with the ways to get it back.
 */
export function Holders(props: {
  processes: IGpuProcesses;
  devices: IGpuDevice[];
  actions: GpuActions;
  release: Release;
  trans: TranslationBundle;
}): JSX.Element {
  const { processes, devices, actions, release, trans } = props;
  useSignal(release.changed);
  const [isHeld, setHeld] = useState(false);
  const before = useRef<IListed[]>([]);
  const id = useId();

  const holders = holdersOf(processes.list);
  const listed = arrange(holders, before.current, isHeld);
  before.current = listed;
  const free = holders.filter(canBeFreed);
  const { other_bytes: other, note } = processes;

  return (
    <section className="jp-mlinfn-Gpu-part" aria-labelledby={id}>
      <h3 id={id}>{trans.__('What holds the memory')}</h3>
      <ul
        className="jp-mlinfn-Holders"
        onPointerEnter={() => setHeld(true)}
        onPointerLeave={event =>
          setHeld(event.currentTarget.contains(document.activeElement))
        }
        onFocus={() => setHeld(true)}
        onBlur={event =>
          setHeld(
            event.currentTarget.matches(':hover') ||
              event.currentTarget.contains(event.relatedTarget)
          )
        }
      >
        {listed.map(({ holder, isGone }) => (
          <Row
            key={holder.key}
            holder={holder}
            isGone={isGone}
            devices={devices}
            actions={actions}
            release={release}
            trans={trans}
          />
        ))}
        {other !== null && (
          <li className="jp-mlinfn-Holder" data-kind="rest">
            <span className="jp-mlinfn-Holder-title">
              {listed.length > 0 || other > 0
                ? trans.__('driver and other')
                : trans.__('nothing of yours')}
            </span>
            <span className="jp-mlinfn-Holder-size">{formatMemory(other)}</span>
          </li>
        )}
      </ul>
      {listed.length === 0 && other === null && !note && (
        <p className="jp-mlinfn-hint">
          {processes.time === null
            ? trans.__('The driver has not been asked yet.')
            : trans.__('The driver lists no program of yours.')}
        </p>
      )}
      {note && <p className="jp-mlinfn-hint">{note}</p>}
      {free.length > 1 && (
        <div className="jp-mlinfn-buttons">
          <Button
            className="jp-mod-styled jp-mod-reject"
            onClick={() => void release.ask(free)}
          >
            {trans.__('Free GPU memory…')}
          </Button>
        </div>
      )}
    </section>
  );
}

function Row(props: {
  holder: IHolder;
  isGone: boolean;
  devices: IGpuDevice[];
  actions: GpuActions;
  release: Release;
  trans: TranslationBundle;
}): JSX.Element {
  const { holder, isGone, devices, actions, release, trans } = props;
  const { owner, memory, notes, processes } = holder;
  const isFreeing = owner.id !== null && release.freeing.has(owner.id);
  const on = holder.devices.map(uuid => {
    const device = devices.find(one => one.uuid === uuid);
    return device
      ? [shortName(device), numberAmong(device, devices, trans)]
          .filter(part => part)
          .join(', ')
      : uuid;
  });
  const details = processes
    .map(({ pid, command }) => trans.__('%1 (process %2)', command, `${pid}`))
    .join('\n');
  return (
    <li
      className="jp-mlinfn-Holder"
      data-kind={owner.kind}
      data-gone={isGone || undefined}
    >
      <span
        className="jp-mlinfn-Holder-title"
        title={[owner.path, details].filter(part => part).join('\n')}
      >
        {owner.title}
        {devices.length > 1 && on.length > 0 && (
          <span className="jp-mlinfn-hint"> · {on.join(', ')}</span>
        )}
      </span>
      <span className="jp-mlinfn-Holder-size" title={notes.join(' ')}>
        {isGone
          ? trans.__('ended')
          : memory === null
            ? trans.__('size not reported')
            : describeHeld(holder, trans)}
      </span>
      <span className="jp-mlinfn-Holder-buttons">
        {actions.canOpen(owner) && (
          <Button
            minimal
            small
            className={LINK}
            disabled={isGone}
            aria-label={trans.__('Open %1', owner.title)}
            onClick={() => void actions.open(owner)}
          >
            {trans.__('Open')}
          </Button>
        )}
        {canBeFreed(holder) && (
          <Button
            minimal
            small
            className={LINK}
            disabled={isGone || isFreeing}
            title={trans.__('Shut down its kernel')}
            aria-label={trans.__(
              'Free the memory of %1: shut down its kernel',
              owner.title
            )}
            onClick={() => void release.ask([holder])}
          >
            {isFreeing ? trans.__('Freeing…') : trans.__('Free…')}
          </Button>
        )}
      </span>
      {notes.length > 0 && !isGone && (
        <span className="jp-mlinfn-Holder-note jp-mlinfn-hint">
          {notes.join(' ')}
        </span>
      )}
    </li>
  );
}
