import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React from 'react';

import { MlinfnError } from '../api';
import { ErrorView } from '../errorView';
import { Simulated } from '../gpu/simulated';
import { IJob } from '../jobs/api';
import { PLAIN } from '../jobs/jobView';
import { GpuVerdict, IGpuCheck, IGpuCheckShort, IGpuFinding } from './cudaApi';
import { badgeOf, describeStale, describeVerdict } from './cudaWords';

const SIGNS: { [verdict in GpuVerdict]: string } = {
  ok: '✓',
  problem: '!',
  nothing: '–',
  unchecked: '?'
};

/**
 * The verdict on an environment in two words.
 */
export function GpuBadge(props: {
  check: IGpuCheckShort;
  trans: TranslationBundle;
}): JSX.Element {
  const { check, trans } = props;
  const stale = describeStale(check, trans);
  return (
    <span
      className={`jp-mlinfn-Tag jp-mlinfn-GpuBadge jp-mod-${check.verdict}`}
      data-stale={check.stale !== null}
      title={[check.summary, stale].filter(part => part).join('\n')}
    >
      {badgeOf(check, trans)}
    </span>
  );
}

/**
 * The last check of an environment: each framework, and what to do.
 */
export function GpuCheck(props: {
  /** null where there was none. */
  check: IGpuCheck | null;
  /** The check that is at work. */
  job: IJob | null;
  /** What the last one failed with. */
  error: MlinfnError | null;
  cancel: (job: IJob) => void;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { check, job, error, trans } = props;
  if (check === null && job === null && error === null) {
    return null;
  }
  return (
    <section
      className="jp-mlinfn-GpuCheck"
      aria-label={trans.__('GPU')}
      aria-busy={job !== null}
      data-testid="gpu-check"
    >
      {job && (
        <p role="status">
          {job.state === 'cancelling'
            ? trans.__('Cancelling…')
            : trans.__('Checking whether it can use the GPU…')}{' '}
          {job.state !== 'cancelling' && (
            <Button small className={PLAIN} onClick={() => props.cancel(job)}>
              {trans.__('Cancel')}
            </Button>
          )}
        </p>
      )}
      {error && !job && <ErrorView error={error} trans={trans} />}
      {check && <Outcome check={check} trans={trans} />}
    </section>
  );
}

function Outcome(props: {
  check: IGpuCheck;
  trans: TranslationBundle;
}): JSX.Element {
  const { check, trans } = props;
  const stale = describeStale(check, trans);
  return (
    <>
      <p className="jp-mlinfn-GpuCheck-head">
        <GpuBadge check={check} trans={trans} />
        <span className="jp-mlinfn-hint">{describeWhen(check, trans)}</span>
        {check.driver?.simulated && <Simulated trans={trans} />}
      </p>
      {stale && <p className="jp-mlinfn-warning">{stale}</p>}
      {check.frameworks.length === 0 && <p>{check.summary}</p>}
      {check.frameworks.length > 0 && (
        <ul>
          {check.frameworks.map(finding => (
            <Finding key={finding.module} finding={finding} trans={trans} />
          ))}
        </ul>
      )}
      {check.frameworks.length > 0 && check.others.length > 0 && (
        <p className="jp-mlinfn-hint">
          {trans.__('Not checked: %1', check.others.join(', '))}
        </p>
      )}
      {check.notes.map(note => (
        <p key={note} className="jp-mlinfn-warning">
          {note}
        </p>
      ))}
    </>
  );
}

function Finding(props: {
  finding: IGpuFinding;
  trans: TranslationBundle;
}): JSX.Element {
  const { finding, trans } = props;
  return (
    <li data-verdict={finding.verdict} data-framework={finding.framework}>
      <span
        className={`jp-mlinfn-GpuCheck-sign jp-mod-${finding.verdict}`}
        role="img"
        aria-label={describeVerdict(finding.verdict, trans)}
      >
        {SIGNS[finding.verdict]}
      </span>
      <div>
        <p>{finding.sentence}</p>
        {(finding.build || finding.uuid) && (
          <p className="jp-mlinfn-hint">
            {[
              finding.build && trans.__('Built for %1', finding.build),
              finding.uuid
            ]
              .filter(part => part)
              .join(' · ')}
          </p>
        )}
        {finding.hint && <p className="jp-mlinfn-hint">{finding.hint}</p>}
        {finding.details && (
          <details>
            <summary>{trans.__('What %1 said', finding.framework)}</summary>
            <pre>{finding.details}</pre>
          </details>
        )}
      </div>
    </li>
  );
}

/**
 * Checked on 12 Nov, 10:30 on your server gpu, with a driver for CUDA 12.4
 */
function describeWhen(check: IGpuCheck, trans: TranslationBundle): string {
  const time = new Date(check.time).toLocaleString(undefined, {
    dateStyle: 'medium',
    timeStyle: 'short'
  });
  const cuda = check.driver?.cuda;
  if (check.driver === null) {
    // A driver that was not heard may hang: that is not to have none.
    return trans.__('checked on %1 on %2', time, check.server);
  }
  return cuda
    ? trans.__(
        'checked on %1 on %2, whose driver supports CUDA %3',
        time,
        check.server,
        cuda
      )
    : trans.__('checked on %1 on %2, without a GPU', time, check.server);
}
