import { TranslationBundle } from '@jupyterlab/translation';
import { Button, HTMLSelect } from '@jupyterlab/ui-components';
import React, { useEffect, useId, useRef, useState } from 'react';

import { isAborted, MlinfnError } from '../api';
import { useSignal } from '../hooks';
import { PRIMARY } from '../jobs/jobView';
import { EnvsApi } from './api';
import { PackagesInput } from './chips';
import { CudaField } from './cudaField';
import {
  FormModel,
  minorVersions,
  NEWEST_PYTHON,
  NO_PYTHON
} from './formModel';
import { EnvsModel } from './model';
import { PlanDetails, PreviewLine } from './previewLine';

/**
 * The form for a new environment.
 */
export function Form(props: {
  model: FormModel;
  envs: EnvsModel;
  api: EnvsApi;
  submit: () => Promise<void>;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, envs, api, trans } = props;
  useSignal(model.changed);
  useSignal(envs.changed);
  const [isSubmitting, setSubmitting] = useState(false);
  const id = useId();
  const label = useRef<HTMLInputElement>(null);
  useEffect(() => {
    label.current?.focus();
    label.current?.select();
    model.ask(0);
  }, [model]);

  const { draft, plan } = model;
  const labelProblems = model.problems('label');
  const channelProblems = model.problems('channels');
  const pipProblems = model.problems('pip');
  const place = envs.places?.private;
  const disabled = isSubmitting || !model.canSubmit;

  const submit = (): void => {
    if (!isSubmitting && model.canSubmit) {
      setSubmitting(true);
      void props.submit().finally(() => setSubmitting(false));
    }
  };

  return (
    <form
      className="jp-mlinfn-Form"
      aria-labelledby={`${id}-title`}
      onSubmit={event => {
        event.preventDefault();
        submit();
      }}
      onKeyDown={event => {
        if (event.key !== 'Enter') {
          return;
        }
        if (event.ctrlKey || event.metaKey) {
          event.preventDefault();
          submit();
        } else if (event.target instanceof HTMLInputElement) {
          // Who presses Enter after the label has not listed packages yet.
          event.preventDefault();
        }
      }}
    >
      <h2 id={`${id}-title`}>{trans.__('New environment')}</h2>
      <p className="jp-mlinfn-hint">
        {trans.__(
          'Packages of your own, apart from everything else. Its kernel is in the launcher as soon as it is made.'
        )}
      </p>

      <div className="jp-mlinfn-Field">
        <label htmlFor={`${id}-label`}>{trans.__('Label')}</label>
        <div>
          <input
            ref={label}
            id={`${id}-label`}
            className="jp-mod-styled"
            type="text"
            maxLength={100}
            autoComplete="off"
            spellCheck={false}
            value={draft.label}
            aria-invalid={labelProblems.length > 0}
            aria-describedby={`${id}-place`}
            onChange={event =>
              model.update({ label: event.currentTarget.value })
            }
          />
          <p
            id={`${id}-place`}
            className={
              labelProblems.length > 0 ? 'jp-mlinfn-problem' : 'jp-mlinfn-hint'
            }
          >
            {labelProblems.length > 0
              ? labelProblems.map(problem => problem.message).join(' ')
              : place?.problem
                ? place.problem
                : model.name !== null && place
                  ? trans.__(
                      '%1, in %2 — lasts after this server is stopped',
                      model.name,
                      place.display
                    )
                  : place && draft.label.trim() !== ''
                    ? trans.__(
                        'in %1 — lasts after this server is stopped',
                        place.display
                      )
                    : ''}
          </p>
        </div>
      </div>

      <PythonField model={model} api={api} id={id} trans={trans} />

      <div className="jp-mlinfn-Field">
        <span id={`${id}-packages`} className="jp-mlinfn-Field-label">
          {trans.__('Packages')}
        </span>
        <PackagesInput
          model={model}
          search={(q, signal) => api.search(q, model.channels, signal)}
          labelledBy={`${id}-packages`}
          describedBy={`${id}-preview`}
          trans={trans}
        />
      </div>

      {envs.cuda && (
        <CudaField model={model} cuda={envs.cuda} id={id} trans={trans} />
      )}

      <details
        className="jp-mlinfn-Options"
        open={draft.pip !== '' || pipProblems.length > 0 || undefined}
      >
        <summary>{trans.__('Packages from pip')}</summary>
        <div className="jp-mlinfn-Field">
          <label htmlFor={`${id}-pip`}>{trans.__('pip')}</label>
          <div>
            <input
              id={`${id}-pip`}
              className="jp-mod-styled"
              type="text"
              autoComplete="off"
              spellCheck={false}
              value={draft.pip}
              aria-invalid={pipProblems.length > 0}
              aria-describedby={`${id}-pip-hint`}
              onChange={event =>
                model.update({ pip: event.currentTarget.value })
              }
            />
            <p
              id={`${id}-pip-hint`}
              className={
                pipProblems.length > 0 ? 'jp-mlinfn-problem' : 'jp-mlinfn-hint'
              }
            >
              {pipProblems.length > 0
                ? pipProblems.map(problem => problem.message).join(' ')
                : trans.__(
                    'Only what no channel has: pip installs it after the others.'
                  )}
            </p>
          </div>
        </div>
      </details>

      <details
        className="jp-mlinfn-Options"
        open={draft.channels !== '' || channelProblems.length > 0 || undefined}
      >
        <summary>{trans.__('Channels')}</summary>
        <div className="jp-mlinfn-Field">
          <label htmlFor={`${id}-channels`}>{trans.__('Channels')}</label>
          <div>
            <input
              id={`${id}-channels`}
              className="jp-mod-styled"
              type="text"
              autoComplete="off"
              spellCheck={false}
              placeholder={envs.places?.channels.join(', ')}
              value={draft.channels}
              aria-invalid={channelProblems.length > 0}
              aria-describedby={`${id}-channels-hint`}
              onChange={event =>
                model.update({ channels: event.currentTarget.value })
              }
            />
            <p
              id={`${id}-channels-hint`}
              className={
                channelProblems.length > 0
                  ? 'jp-mlinfn-problem'
                  : 'jp-mlinfn-hint'
              }
            >
              {channelProblems.length > 0
                ? channelProblems.map(problem => problem.message).join(' ')
                : trans.__(
                    'Where packages come from; leave it empty for what is set up here.'
                  )}
            </p>
          </div>
        </div>
      </details>

      <div className="jp-mlinfn-Form-last">
        <PreviewLine model={model} id={`${id}-preview`} trans={trans} />
        <Button
          type="submit"
          className={PRIMARY}
          disabled={disabled}
          title={trans.__('Create (Ctrl+Enter)')}
        >
          {isSubmitting ? trans.__('Creating…') : trans.__('Create')}
        </Button>
      </div>
      {plan && !model.refusal && <PlanDetails plan={plan} trans={trans} />}
      {envs.warnings.map(warning => (
        <p key={warning} className="jp-mlinfn-warning">
          {warning}
        </p>
      ))}
    </form>
  );
}

/**
 * The Python version: the newest, one of the channel's, or none.
 */
function PythonField(props: {
  model: FormModel;
  api: EnvsApi;
  id: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, api, id, trans } = props;
  const [versions, setVersions] = useState<string[]>([]);
  const [error, setError] = useState<MlinfnError | null>(null);
  const channels = model.draft.channels;
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(
      () => {
        api.versions('python', model.channels, abort.signal).then(
          found => {
            setVersions(minorVersions(found));
            setError(null);
          },
          thrown => {
            if (!isAborted(thrown)) {
              setError(MlinfnError.from(thrown));
            }
          }
        );
      },
      channels === '' ? 0 : 600
    );
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [api, model, channels]);

  const { python } = model.draft;
  const chip = model.pythonChip;
  const spec = model.pythonSpec;
  const isWrong = spec !== null && model.problemsOf(spec).length > 0;
  const shown =
    versions.includes(python) ||
    python === NEWEST_PYTHON ||
    python === NO_PYTHON
      ? versions
      : [python, ...versions];
  return (
    <div className="jp-mlinfn-Field">
      <label htmlFor={`${id}-python`}>{trans.__('Python')}</label>
      <div>
        <HTMLSelect
          id={`${id}-python`}
          value={chip ? '' : python}
          disabled={chip !== undefined}
          aria-invalid={isWrong}
          aria-describedby={isWrong ? `${id}-preview` : `${id}-python-hint`}
          onChange={event =>
            model.update({ python: event.currentTarget.value })
          }
        >
          {chip && <option value="">{chip}</option>}
          <option value={NEWEST_PYTHON}>
            {trans.__('newest that fits the packages')}
          </option>
          {shown.map(version => (
            <option key={version} value={version}>
              {version}
            </option>
          ))}
          <option value={NO_PYTHON}>
            {trans.__('no Python (R, Julia, …)')}
          </option>
        </HTMLSelect>
        <p id={`${id}-python-hint`} className="jp-mlinfn-hint">
          {chip
            ? trans.__('As it stands among the packages.')
            : error
              ? trans.__('The versions cannot be listed now: %1', error.message)
              : ''}
        </p>
      </div>
    </div>
  );
}
