import { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon } from '@jupyterlab/ui-components';
import React, { useEffect, useId, useMemo, useRef, useState } from 'react';

import { useSignal } from '../hooks';
import { IPackageHit } from './api';
import { ISpecsModel } from './specsModel';
import { SearchModel } from './searchModel';
import { isBareName, nameOf } from './specs';

/**
 * The packages as chips, with an input that completes names: a combobox with a
 * listbox, https://www.w3.org/WAI/ARIA/apg/patterns/combobox/
 */
export function PackagesInput(props: {
  model: ISpecsModel;
  /** Nothing is completed without it. */
  search?: (q: string, signal: AbortSignal) => Promise<IPackageHit[]>;
  /** What may be typed, where it is not a package of the channels. */
  placeholder?: string;
  labelledBy: string;
  describedBy: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, trans } = props;
  const search = useRef(props.search);
  search.current = props.search;
  const completion = useMemo(
    () =>
      new SearchModel(async (q, signal) =>
        search.current ? search.current(q, signal) : []
      ),
    []
  );
  useEffect(() => () => completion.dispose(), [completion]);
  useSignal(completion.changed);
  useSignal(model.changed);

  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(-1);
  const [isOpen, setOpen] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const listId = useId();
  const { specs } = model.draft;
  const hits = completion.hits;
  const nothingFound =
    completion.answered !== '' && hits.length === 0 && isBareName(text);
  const listed =
    props.search !== undefined &&
    isOpen &&
    text !== '' &&
    (hits.length > 0 || nothingFound);

  const type = (value: string): void => {
    setText(value);
    setChosen(-1);
    setOpen(true);
    completion.type(value);
  };
  const add = (value: string): void => {
    model.addSpecs(value);
    type('');
    setOpen(false);
  };
  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) {
      return;
    }
    switch (event.key) {
      case 'ArrowDown':
      case 'ArrowUp': {
        if (hits.length === 0) {
          return;
        }
        const step = event.key === 'ArrowDown' ? 1 : -1;
        // One place more than there are hits: none chosen, back at the input.
        const places = hits.length + 1;
        setOpen(true);
        setChosen(((chosen + 1 + step + places) % places) - 1);
        break;
      }
      case 'Enter':
        if (event.ctrlKey || event.metaKey) {
          // Submits the form; what is typed goes with it.
          add(text);
          return;
        }
        if (listed && chosen >= 0) {
          add(hits[chosen].name);
        } else if (text.trim() !== '') {
          add(text);
        }
        break;
      case ',':
        if (!isBareName(text)) {
          return;
        }
        add(text);
        break;
      case 'Escape':
        if (!listed) {
          return;
        }
        setOpen(false);
        break;
      case 'Backspace':
        if (text !== '' || specs.length === 0) {
          return;
        }
        model.removeSpec(specs[specs.length - 1]);
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div className="jp-mlinfn-Packages">
      <div
        className="jp-mlinfn-Chips"
        onMouseDown={event => {
          if (event.target === event.currentTarget) {
            event.preventDefault();
            input.current?.focus();
          }
        }}
      >
        {specs.map(spec => (
          <Chip
            key={spec}
            spec={spec}
            isWrong={model.problemsOf(spec).length > 0}
            build={model.markOf?.(spec)?.build}
            describedBy={props.describedBy}
            remove={() => {
              model.removeSpec(spec);
              input.current?.focus();
            }}
            trans={trans}
          />
        ))}
        <input
          ref={input}
          type="text"
          role="combobox"
          className="jp-mlinfn-Chips-input"
          aria-labelledby={props.labelledBy}
          aria-describedby={props.describedBy}
          aria-autocomplete="list"
          aria-expanded={listed}
          aria-controls={listId}
          aria-activedescendant={
            listed && chosen >= 0 ? `${listId}-${chosen}` : undefined
          }
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          placeholder={
            props.placeholder !== undefined
              ? props.placeholder
              : specs.length === 0
                ? trans.__('type to search, e.g. numpy or numpy <2')
                : trans.__('type to search…')
          }
          value={text}
          onChange={event => type(event.currentTarget.value)}
          onKeyDown={onKeyDown}
          onPaste={event => {
            const pasted = event.clipboardData.getData('text');
            if (/[\n,\s]/.test(pasted.trim()) && text === '') {
              event.preventDefault();
              add(pasted);
            }
          }}
          onBlur={() => {
            setOpen(false);
            if (text.trim() !== '') {
              add(text);
            }
          }}
        />
      </div>
      <ul
        id={listId}
        role="listbox"
        className="jp-mlinfn-Completion"
        aria-label={trans.__('Packages found')}
        hidden={!listed}
        // The input must keep the focus: losing it adds what is typed.
        onMouseDown={event => event.preventDefault()}
      >
        {hits.map((hit, index) => (
          <li
            key={hit.name}
            id={`${listId}-${index}`}
            role="option"
            aria-selected={index === chosen}
            ref={element => {
              if (index === chosen) {
                element?.scrollIntoView?.({ block: 'nearest' });
              }
            }}
            onClick={() => add(hit.name)}
          >
            <span className="jp-mlinfn-Completion-name">{hit.name}</span>
            <span className="jp-mlinfn-Completion-version">{hit.version}</span>
            <span className="jp-mlinfn-Completion-summary">{hit.summary}</span>
          </li>
        ))}
        {nothingFound && (
          <li
            className="jp-mlinfn-hint"
            role="option"
            aria-disabled="true"
            aria-selected="false"
          >
            {trans.__('No package of this name in the channels.')}
          </li>
        )}
      </ul>
      {completion.error && text !== '' && (
        <p className="jp-mlinfn-hint" role="status">
          {trans.__(
            'Cannot search now: %1 You can still type names.',
            completion.error.message
          )}
        </p>
      )}
      <span className="jp-mlinfn-sr" aria-live="polite">
        {listed && hits.length > 0
          ? trans._n('%1 package found', '%1 packages found', hits.length)
          : ''}
      </span>
    </div>
  );
}

function Chip(props: {
  spec: string;
  isWrong: boolean;
  /** Which build is chosen, where it has one for CUDA. */
  build?: 'cuda' | 'cpu';
  describedBy: string;
  remove: () => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { spec, isWrong, build, remove, trans } = props;
  return (
    <span
      className="jp-mlinfn-Chip"
      role="group"
      aria-label={spec}
      aria-invalid={isWrong}
      aria-describedby={isWrong ? props.describedBy : undefined}
      data-package={nameOf(spec)}
    >
      <span>{spec}</span>
      {build && (
        <span
          className={`jp-mlinfn-Chip-build jp-mod-${build}`}
          title={
            build === 'cuda'
              ? trans.__('A build for CUDA is chosen')
              : trans.__('The build for the CPU is chosen')
          }
        >
          {build === 'cuda' ? trans.__('CUDA') : trans.__('CPU')}
        </span>
      )}
      <button
        type="button"
        className="jp-mlinfn-Chip-remove"
        title={trans.__('Remove %1', spec)}
        aria-label={trans.__('Remove %1', spec)}
        onClick={remove}
      >
        <closeIcon.react tag="span" width="12px" height="12px" />
      </button>
    </span>
  );
}
