import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, render, screen } from '@testing-library/react';
import React from 'react';

import { IFieldProblem, MlinfnError } from '../../api';
import { PackagesInput } from '../chips';
import { FormModel } from '../formModel';
import { PreviewLine } from '../previewLine';

const trans = nullTranslator.load('jupyter_mlinfn');

const refused = (
  reason: string,
  hint: string,
  ...specs: IFieldProblem[]
): MlinfnError =>
  new MlinfnError(
    { message: 'It cannot be.', reason, hint, fields: { specs } },
    422
  );

function show(specs: string[], error: MlinfnError): FormModel {
  const model = new FormModel(
    { preview: () => new Promise(() => undefined) },
    { label: 'myenv', specs }
  );
  model.refuse(error);
  function Both(): JSX.Element {
    return (
      <>
        <span id="packages">Packages</span>
        <PackagesInput
          model={model}
          search={() => Promise.resolve([])}
          labelledBy="packages"
          describedBy="preview"
          trans={trans}
        />
        <PreviewLine model={model} id="preview" trans={trans} />
      </>
    );
  }
  const { rerender } = render(<Both />);
  model.changed.connect(() => act(() => rerender(<Both />)));
  return model;
}

const marked = (): (string | null)[] =>
  screen
    .queryAllByRole('group')
    .filter(chip => chip.getAttribute('aria-invalid') === 'true')
    .map(chip => chip.getAttribute('aria-label'));

describe('marking what cannot be', () => {
  it('marks the packages at fault only, says the same once and why', () => {
    const message = 'does not go with the others';
    show(
      ['plots=1', 'numpy', 'colours=2'],
      refused(
        'plots 1 needs colours <2',
        'Ask for other versions.',
        { value: 'plots=1', message },
        { value: 'colours=2', message }
      )
    );
    expect(marked()).toEqual(['plots=1', 'colours=2']);
    const line = screen.getByTestId('preview');
    expect(line.textContent).not.toContain(message);
    expect(line.textContent).toContain('Ask for other versions.');
    expect(line.querySelector('details')?.open).toBe(true);
  });

  it('takes a suggestion, keeping the version, and the mark goes', () => {
    const model = show(
      ['nunpy <2'],
      refused('', 'Did you mean numpy?', {
        value: 'nunpy',
        message: 'There is no package nunpy.',
        suggestions: ['numpy']
      })
    );
    expect(marked()).toEqual(['nunpy <2']);
    expect(screen.getAllByText(/Did you mean/).length).toBe(1);
    fireEvent.click(
      screen.getByRole('button', { name: 'Take numpy instead of nunpy' })
    );
    expect(model.draft.specs).toEqual(['numpy <2']);
    expect(marked()).toEqual([]);
    model.dispose();
  });
});
