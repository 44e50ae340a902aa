import React from 'react';

/**
 * Let arrow keys, Home and End move the focus among the entries of a list, of
 * which only one is in the order of the Tab key:
 * https://www.w3.org/WAI/ARIA/apg/practices/keyboard-interface/#kbd_roving_tabindex
 */
export function moveFocus(event: React.KeyboardEvent<HTMLElement>): void {
  const entries = Array.from(
    event.currentTarget.querySelectorAll<HTMLElement>('.jp-mlinfn-Item')
  );
  const at = entries.indexOf(event.target as HTMLElement);
  const last = entries.length - 1;
  const to = {
    ArrowDown: Math.min(at + 1, last),
    ArrowUp: Math.max(at - 1, 0),
    Home: 0,
    End: last
  }[event.key];
  if (at < 0 || to === undefined) {
    return;
  }
  event.preventDefault();
  entries[to].focus();
}
