import { TranslationBundle } from '@jupyterlab/translation';
import React, { useId } from 'react';

import { CopyButton } from '../copyButton';
import { IGpuDevice } from './api';
import { describeDevice, numberAmong } from './words';

/**
 * Devices of which one is the user's: names and what to choose by, no figures.
 */
export function Candidates(props: {
  devices: IGpuDevice[];
  trans: TranslationBundle;
}): JSX.Element {
  const { devices, trans } = props;
  const id = useId();
  return (
    <section className="jp-mlinfn-Gpu-part" aria-labelledby={id}>
      <h3 id={id}>{trans.__('One of these')}</h3>
      <dl className="jp-mlinfn-Facts jp-mlinfn-Candidates">
        {devices.map(device => (
          <React.Fragment key={device.uuid}>
            <dt>
              {[
                describeDevice(device, trans),
                numberAmong(device, devices, trans)
              ]
                .filter(part => part)
                .join(' · ')}
            </dt>
            <dd className="jp-mlinfn-Facts-item">
              <code>{device.uuid}</code>
              <CopyButton
                text={device.uuid}
                label={trans.__('Copy the UUID %1', device.uuid)}
                trans={trans}
              />
            </dd>
          </React.Fragment>
        ))}
      </dl>
    </section>
  );
}
