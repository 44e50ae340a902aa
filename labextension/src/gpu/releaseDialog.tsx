import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import React, { useState } from 'react';

import { IHolder } from './holders';
import { Simulated } from './simulated';
import { describeHeld } from './words';

/**
 * Ask which kernels are to be shut down; name what is lost, for it cannot be undone.
 *
 * @param busy ids of kernels that are computing; null where nobody knows
 * @returns what was chosen; nothing where it was given up
 */
export async function chooseKernels(
  holders: IHolder[],
  busy: Set<string> | null,
  simulated: boolean,
  trans: TranslationBundle
): Promise<IHolder[]> {
  const single = holders.length === 1;
  const body = new Choice(holders, busy, simulated, trans);
  const dialog = new Dialog<IHolder[]>({
    title: single
      ? trans.__('Shut down the kernel of %1?', holders[0].owner.title)
      : trans.__('Free GPU memory'),
    body,
    // Cancel is what Enter presses: this cannot be undone.
    defaultButton: 0,
    focusNodeSelector: single ? undefined : 'input',
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({
        label: single ? trans.__('Shut Down') : trans.__('Shut Down Chosen')
      })
    ]
  });
  const accept = dialog.node.querySelector<HTMLButtonElement>('.jp-mod-warn');
  const update = (): void => {
    if (accept) {
      accept.disabled = body.getValue().length === 0;
    }
  };
  body.onChange = update;
  update();
  const result = await dialog.launch();
  return result.button.accept ? (result.value ?? []) : [];
}

class Choice extends ReactWidget implements Dialog.IBodyWidget<IHolder[]> {
  constructor(
    holders: IHolder[],
    busy: Set<string> | null,
    simulated: boolean,
    trans: TranslationBundle
  ) {
    super();
    this._holders = holders;
    this._busy = busy;
    this._simulated = simulated;
    this._trans = trans;
    this._chosen = holders.length === 1 ? holders : [];
  }

  onChange: () => void = () => undefined;

  getValue(): IHolder[] {
    return this._chosen;
  }

  protected render(): JSX.Element {
    return (
      <ReleaseBody
        holders={this._holders}
        busy={this._busy}
        simulated={this._simulated}
        choose={chosen => {
          this._chosen = chosen;
          this.onChange();
        }}
        trans={this._trans}
      />
    );
  }

  private _holders: IHolder[];
  private _busy: Set<string> | null;
  private _simulated: boolean;
  private _trans: TranslationBundle;
  private _chosen: IHolder[];
}

/**
 * What is lost, and of several kernels which.
 */
export function ReleaseBody(props: {
  holders: IHolder[];
  busy: Set<string> | null;
  simulated: boolean;
  choose: (chosen: IHolder[]) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { holders, busy, simulated, choose, trans } = props;
  const label = simulated && <Simulated trans={trans} />;
  const [keys, setKeys] = useState<string[]>([]);
  const toggle = (key: string): void => {
    const next = keys.includes(key)
      ? keys.filter(one => one !== key)
      : [...keys, key];
    setKeys(next);
    choose(holders.filter(holder => next.includes(holder.key)));
  };
  const isBusy = ({ owner }: IHolder): boolean =>
    owner.id !== null && (busy?.has(owner.id) ?? false);
  const running = trans.__('It is computing now: that is broken off.');

  if (holders.length === 1) {
    return (
      <div className="jp-mlinfn-RemoveDialog">
        <p>
          {holders[0].owner.kind === 'notebook'
            ? trans.__(
                'All its variables are lost. The notebook and its outputs stay.'
              )
            : trans.__('All its variables are lost.')}
        </p>
        <p>
          {trans.__(
            'It holds %1 of GPU memory.',
            describeHeld(holders[0], trans)
          )}{' '}
          {label}
        </p>
        {isBusy(holders[0]) && <p className="jp-mlinfn-warning">{running}</p>}
        {busy === null && (
          <p className="jp-mlinfn-warning">
            {trans.__('Whether it is computing is not known.')}
          </p>
        )}
      </div>
    );
  }
  return (
    <div className="jp-mlinfn-RemoveDialog">
      <p>
        {trans.__(
          'The kernels that you choose are shut down: all their variables are lost. Notebooks and their outputs stay.'
        )}{' '}
        {label}
      </p>
      {busy === null && (
        <p className="jp-mlinfn-warning">
          {trans.__('Whether they are computing is not known.')}
        </p>
      )}
      <ul className="jp-mlinfn-Release">
        {holders.map(holder => (
          <li key={holder.key}>
            <label>
              <input
                type="checkbox"
                checked={keys.includes(holder.key)}
                onChange={() => toggle(holder.key)}
              />
              <span>
                {holder.owner.title}
                {' · '}
                {describeHeld(holder, trans)}
                {isBusy(holder) && ' · ' + trans.__('computing now')}
              </span>
            </label>
          </li>
        ))}
      </ul>
    </div>
  );
}
