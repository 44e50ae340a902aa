import { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import React from 'react';

import { IFieldProblem, MlinfnError } from '../api';
import { inWords } from '../errorView';
import { formatBytes } from '../format';
import { IPlan, IPlannedPackage } from './api';
import { CudaMarks } from './cudaMarks';
import { FormModel } from './formModel';
import { ISpecsModel } from './specsModel';

/**
 * What would be installed, or why it cannot be: the last line of the form.
 */
export function PreviewLine(props: {
  model: FormModel;
  id: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, id, trans } = props;
  const { preview, plan, refusal } = model;
  const isAsking = preview.state === 'asking';
  return (
    <div
      id={id}
      className="jp-mlinfn-Preview"
      role="status"
      aria-busy={isAsking}
      data-testid="preview"
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
          {describePlan(plan, trans)}
        </p>
      ) : (
        <p className="jp-mlinfn-Preview-line jp-mlinfn-hint">
          {isAsking
            ? trans.__('Looking up what would be installed…')
            : model.draft.label.trim() === ''
              ? trans.__('Give it a label to begin with.')
              : ''}
        </p>
      )}
    </div>
  );
}

/**
 * 47 packages · 312 MB to download · needs about 1.1 GB of 8.3 GB left
 */
export function describePlan(plan: IPlan, trans: TranslationBundle): string {
  const needed = plan.estimated
    ? trans.__('about %1', formatBytes(plan.installed_bytes))
    : formatBytes(plan.installed_bytes);
  const left = plan.free_bytes === null ? null : formatBytes(plan.free_bytes);
  const parts = [
    trans._n('%1 package', '%1 packages', plan.package_count),
    plan.download_bytes === 0
      ? trans.__('nothing to download')
      : trans.__('%1 to download', formatBytes(plan.download_bytes))
  ];
  if (plan.fits) {
    parts.push(
      left === null
        ? trans.__('needs %1', needed)
        : trans.__('needs %1 of %2 left', needed, left)
    );
  } else if (
    plan.free_bytes !== null &&
    plan.installed_bytes > plan.free_bytes
  ) {
    parts.push(trans.__('does not fit: needs %1, only %2 left', needed, left));
  } else {
    parts.push(
      trans.__(
        'does not fit: needs %1 files, only %2 more are allowed',
        String(plan.installed_files),
        String(plan.free_files ?? '?')
      )
    );
  }
  return parts.join(' · ');
}

/**
 * Why it cannot be, with what is said of each spec.
 */
export function Refusal(props: {
  error: MlinfnError;
  model: ISpecsModel;
  trans: TranslationBundle;
}): JSX.Element {
  const { error, model, trans } = props;
  const told = inWords(error, trans);
  const problems = model.problems('specs');
  const hasSuggestions = problems.some(isSuggesting);
  // The same said of each of them is said once.
  const together =
    problems.length > 1 &&
    !hasSuggestions &&
    problems.every(({ message }) => message === problems[0].message);
  const why = told.reason === told.message ? '' : told.reason;
  return (
    <>
      <p className="jp-mlinfn-Preview-line jp-mod-warn">{told.message}</p>
      {together && (
        <p className="jp-mlinfn-Preview-problem">
          {problems.map(({ value }, index) => (
            <strong key={index}>{value}</strong>
          ))}
        </p>
      )}
      {(together ? [] : problems).map((problem, index) => (
        <p key={index} className="jp-mlinfn-Preview-problem">
          {(problems.length > 1 ||
            !told.message.includes(problem.value ?? problem.message)) && (
            <span>
              {problem.value !== undefined &&
                !problem.message.includes(problem.value) && (
                  <strong>{problem.value}: </strong>
                )}
              {problem.message}
            </span>
          )}
          {isSuggesting(problem) && (
            <>
              <span>{trans.__('Did you mean')} </span>
              {(problem.suggestions ?? []).slice(0, 5).map(suggestion => (
                <Button
                  key={suggestion}
                  small
                  className="jp-mod-styled jp-mod-reject jp-mlinfn-Suggestion"
                  aria-label={trans.__(
                    'Take %1 instead of %2',
                    suggestion,
                    problem.value ?? ''
                  )}
                  onClick={() => {
                    for (const spec of model.draft.specs) {
                      if (model.problemsOf(spec).includes(problem)) {
                        model.renameSpec(spec, suggestion);
                        return;
                      }
                    }
                  }}
                >
                  {suggestion}
                </Button>
              ))}
            </>
          )}
        </p>
      ))}
      {/* The hint names what stands on the buttons. */}
      {told.hint && !hasSuggestions && (
        <p className="jp-mlinfn-hint">{told.hint}</p>
      )}
      {why && (
        <details
          key={why}
          className="jp-mlinfn-Preview-why"
          open={!hasSuggestions && why.split('\n').length <= SHORT}
        >
          <summary>{trans.__('Why')}</summary>
          <pre>{why}</pre>
        </details>
      )}
    </>
  );
}

function isSuggesting({ value, suggestions }: IFieldProblem): boolean {
  return value !== undefined && (suggestions ?? []).length > 0;
}

/**
 * As many lines of an explanation need not be unfolded first.
 */
const SHORT = 6;

/**
 * What else there is to know of a plan: what is added, warnings, all packages.
 */
export function PlanDetails(props: {
  plan: IPlan;
  trans: TranslationBundle;
}): JSX.Element {
  const { plan, trans } = props;
  return (
    <>
      {plan.added_specs.length > 0 && (
        <p className="jp-mlinfn-hint">
          {trans._n(
            '%2 is added so that it can be used in notebooks.',
            '%2 are added so that it can be used in notebooks.',
            plan.added_specs.length,
            plan.added_specs.join(', ')
          )}
        </p>
      )}
      <CudaMarks
        marks={plan.cuda_builds}
        cuda={plan.cuda.version}
        trans={trans}
      />
      {plan.warnings.map(warning => (
        <p key={warning} className="jp-mlinfn-warning">
          {warning}
        </p>
      ))}
      <details>
        <summary>
          {trans._n(
            'The package that would be installed',
            'All %1 packages that would be installed',
            plan.package_count
          )}
        </summary>
        <PlanTable packages={plan.packages} trans={trans} />
      </details>
    </>
  );
}

function PlanTable(props: {
  packages: IPlannedPackage[];
  trans: TranslationBundle;
}): JSX.Element {
  const { packages, trans } = props;
  return (
    <div
      className="jp-mlinfn-scroll"
      tabIndex={0}
      role="region"
      aria-label={trans.__('Packages')}
    >
      <table className="jp-mlinfn-Table">
        <thead>
          <tr>
            <th scope="col">{trans.__('Package')}</th>
            <th scope="col">{trans.__('Version')}</th>
            <th scope="col">{trans.__('Channel')}</th>
            <th scope="col" className="jp-mlinfn-number">
              {trans.__('Download')}
            </th>
          </tr>
        </thead>
        <tbody>
          {packages.map(item => (
            <tr key={item.name}>
              <td>{item.name}</td>
              <td>{item.version}</td>
              <td>{item.channel}</td>
              <td className="jp-mlinfn-number">
                {item.cached
                  ? trans.__('already here')
                  : item.size === null
                    ? trans.__('not known')
                    : formatBytes(item.size)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
