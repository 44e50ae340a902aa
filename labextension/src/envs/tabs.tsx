import React, { useId, useRef, useState } from 'react';

export interface ITab {
  key: string;
  title: string;
  content: React.ReactNode;
}

/**
 * Tabs of which the arrow keys choose one:
 * https://www.w3.org/WAI/ARIA/apg/patterns/tabs/
 */
export function Tabs(props: { label: string; tabs: ITab[] }): JSX.Element {
  const { label, tabs } = props;
  const [chosen, setChosen] = useState(tabs[0].key);
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const index = Math.max(
    tabs.findIndex(({ key }) => key === chosen),
    0
  );
  const current = tabs[index];

  const onKeyDown = (event: React.KeyboardEvent): void => {
    const last = tabs.length - 1;
    const steps: { [key: string]: number } = {
      ArrowRight: index === last ? 0 : index + 1,
      ArrowLeft: index === 0 ? last : index - 1,
      Home: 0,
      End: last
    };
    const next = steps[event.key];
    if (next !== undefined) {
      event.preventDefault();
      setChosen(tabs[next].key);
      list.current
        ?.querySelectorAll<HTMLButtonElement>('[role="tab"]')
        [next]?.focus();
    }
  };

  return (
    <div>
      <div
        ref={list}
        className="jp-mlinfn-Tabs"
        role="tablist"
        aria-label={label}
        onKeyDown={onKeyDown}
      >
        {tabs.map(({ key, title }) => (
          <button
            key={key}
            id={`${id}-${key}`}
            type="button"
            role="tab"
            aria-selected={key === current.key}
            aria-controls={`${id}-panel`}
            tabIndex={key === current.key ? 0 : -1}
            onClick={() => setChosen(key)}
          >
            {title}
          </button>
        ))}
      </div>
      <div
        id={`${id}-panel`}
        role="tabpanel"
        aria-labelledby={`${id}-${current.key}`}
      >
        {current.content}
      </div>
    </div>
  );
}
