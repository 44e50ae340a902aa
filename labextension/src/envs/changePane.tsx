import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React, { useEffect, useId, useRef, useState } from 'react';

import { MlinfnError } from '../api';
import { useSignal } from '../hooks';
import { PLAIN, PRIMARY } from '../jobs/jobView';
import { IPackageHit } from './api';
import { ChangeModel } from './changeModel';
import { IChangePlan, Intent } from './changesApi';
import { PackagesInput } from './chips';
import { CudaMarks } from './cudaMarks';
import { describeChange, describeDrift, Diff } from './diff';
import { Refusal } from './previewLine';

/**
 * What would change, before it does.
 */
export function ChangePane(props: {
  model: ChangeModel;
  search: (q: string, signal: AbortSignal) => Promise<IPackageHit[]>;
  /** Whether pip installed something in the environment. */
  hasPip: boolean;
  /** Something else changes the environment now. */
  isBlocked: boolean;
  start: (intent: Intent, expected: number | null) => Promise<void>;
  cancel: () => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, isBlocked, trans } = props;
  useSignal(model.changed);
  const [isSubmitting, setSubmitting] = useState(false);
  const id = useId();
  const form = useRef<HTMLFormElement>(null);
  const takeFocus = (): void =>
    (
      form.current?.querySelector<HTMLElement>('[role="combobox"]') ??
      form.current
    )?.focus();
  useEffect(() => {
    form.current?.scrollIntoView?.({ block: 'nearest' });
    takeFocus();
    model.ask(0);
  }, [model]);
  const { state } = model.preview;
  useEffect(() => {
    // A suggestion that was taken is gone, and the focus with it.
    if (document.activeElement === document.body) {
      takeFocus();
    }
  }, [state]);

  const { intent, plan, refusal, preview } = model;
  const isAsking = preview.state === 'asking';
  const isAll = intent.action === 'update' && intent.specs.length === 0;
  const submit = (): void => {
    if (isSubmitting || isBlocked || !model.canSubmit) {
      return;
    }
    setSubmitting(true);
    props
      .start(intent, plan?.revision ?? null)
      .catch(thrown => model.refuse(MlinfnError.from(thrown)))
      .finally(() => setSubmitting(false));
  };

  return (
    <form
      ref={form}
      className="jp-mlinfn-Change"
      aria-labelledby={`${id}-title`}
      tabIndex={-1}
      onSubmit={event => {
        event.preventDefault();
        submit();
      }}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          props.cancel();
        } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          submit();
        }
      }}
    >
      <h3 id={`${id}-title`}>{titleOf(intent, trans)}</h3>
      {(intent.action === 'install' || (isAll && props.hasPip)) && (
        <fieldset className="jp-mlinfn-Choice">
          <legend className="jp-mlinfn-sr">{trans.__('From')}</legend>
          {(['conda', 'pip'] as const).map(manager => (
            <label key={manager}>
              <input
                type="radio"
                name={`${id}-manager`}
                checked={model.manager === manager}
                onChange={() => {
                  model.manager = manager;
                }}
              />
              {manager}
            </label>
          ))}
          <span className="jp-mlinfn-hint">
            {isAll
              ? trans.__(
                  'What conda installed and what pip did, each by itself.'
                )
              : trans.__(
                  'First look for it in conda; pip is for what only PyPI has.'
                )}
          </span>
        </fieldset>
      )}
      {intent.action === 'install' && (
        <>
          <span id={`${id}-packages`} className="jp-mlinfn-sr">
            {trans.__('Packages to install')}
          </span>
          <PackagesInput
            model={model}
            search={model.manager === 'conda' ? props.search : undefined}
            placeholder={
              model.manager === 'pip'
                ? trans.__('as pip takes it, e.g. cowsay or cowsay==6.1')
                : undefined
            }
            labelledBy={`${id}-packages`}
            describedBy={`${id}-preview`}
            trans={trans}
          />
        </>
      )}
      {model.note && (
        <p className="jp-mlinfn-warning" role="status">
          {model.isOutdated
            ? trans.__(
                '%1 This is what would change now; look again.',
                model.note
              )
            : model.note}
        </p>
      )}
      <div
        id={`${id}-preview`}
        className="jp-mlinfn-Preview"
        role="status"
        aria-busy={isAsking}
        data-testid="change-preview"
        data-state={refusal ? 'refused' : preview.state}
      >
        {refusal ? (
          <Refusal error={refusal} model={model} trans={trans} />
        ) : plan ? (
          <p
            className={
              plan.fits
                ? 'jp-mlinfn-Preview-line'
                : 'jp-mlinfn-Preview-line jp-mod-warn'
            }
          >
            {model.isEmpty
              ? trans.__('Nothing would change.')
              : describeChange(plan, trans)}
          </p>
        ) : (
          <p className="jp-mlinfn-Preview-line jp-mlinfn-hint">
            {isAsking
              ? trans.__('Looking up what would change…')
              : trans.__('Name a package to see what would change.')}
          </p>
        )}
      </div>
      {plan && !refusal && <PlanNotes plan={plan} trans={trans} />}
      <div className="jp-mlinfn-buttons">
        <Button
          type="submit"
          className={PRIMARY}
          disabled={isSubmitting || isBlocked || !model.canSubmit}
        >
          {doOf(intent, trans)}
        </Button>
        <Button type="button" className={PLAIN} onClick={props.cancel}>
          {trans.__('Cancel')}
        </Button>
      </div>
    </form>
  );
}

/**
 * The diff, and what else there is to know before it is done.
 */
function PlanNotes(props: {
  plan: IChangePlan;
  trans: TranslationBundle;
}): JSX.Element {
  const { plan, trans } = props;
  return (
    <>
      <Diff
        packages={plan.packages}
        files={plan.files}
        isPlan={true}
        trans={trans}
      />
      <CudaMarks marks={plan.cuda_builds} cuda={plan.cuda} trans={trans} />
      {plan.drift && (
        <p className="jp-mlinfn-warning">
          {trans.__(
            '%1. That is recorded first, as a revision of its own.',
            describeDrift(plan.drift, trans)
          )}
        </p>
      )}
      {plan.running.length > 0 && (
        <p className="jp-mlinfn-hint">
          {trans._n(
            '%1 kernel runs in it and has to be restarted to see the change: %2',
            '%1 kernels run in it and have to be restarted to see the change: %2',
            plan.running.length,
            plan.running.map(({ path, name }) => path ?? name).join(', ')
          )}
        </p>
      )}
      {plan.warnings.map(warning => (
        <p key={warning} className="jp-mlinfn-warning">
          {warning}
        </p>
      ))}
    </>
  );
}

function titleOf(intent: Intent, trans: TranslationBundle): string {
  switch (intent.action) {
    case 'install':
      return trans.__('Install packages');
    case 'update':
      return intent.specs.length === 0
        ? trans.__('Update all packages of %1', intent.manager)
        : trans.__('Update %1', intent.specs.join(', '));
    case 'remove':
      return trans.__('Remove %1', intent.specs.join(', '));
    case 'rollback':
      return trans.__('Go back to revision %1', String(intent.revision));
  }
}

function doOf(intent: Intent, trans: TranslationBundle): string {
  switch (intent.action) {
    case 'install':
      return trans.__('Install');
    case 'update':
      return trans.__('Update');
    case 'remove':
      return trans.__('Remove');
    case 'rollback':
      return trans.__('Go back');
  }
}
