import { Selection } from '../selection';
import { ephemeral } from './fakes';

const PLOTS = { path: '/work/plots', files: 1, bytes: 0.2e9 };
const LOSS = { path: '/work/plots/loss.png', files: 1, bytes: 0.2e9 };
const MODEL = { path: '/work/model.ckpt', files: 1, bytes: 1e9 };

describe('Selection', () => {
  it('is all at first, then all but some', () => {
    const selection = new Selection();
    expect(selection.request).toEqual({ paths: null });
    expect(selection.isAll).toBe(true);
    selection.toggle(MODEL);
    expect(selection.request).toEqual({ paths: null, except: [MODEL.path] });
    expect(selection.isChosen(MODEL.path)).toBe(false);
    expect(selection.isAll).toBeNull();
    expect(selection.chosenOf(ephemeral())).toEqual({ files: 1, bytes: 0.2e9 });
    selection.toggle(MODEL);
    expect(selection.request).toEqual({ paths: null });
  });

  it('is some once none were chosen', () => {
    const selection = new Selection();
    selection.setAll(false);
    expect(selection.chosenOf(ephemeral())).toEqual({ files: 0, bytes: 0 });
    selection.toggle(LOSS);
    expect(selection.request).toEqual({ paths: [LOSS.path] });
    expect(selection.isChosen(LOSS.path)).toBe(true);
    expect(selection.isChosen(MODEL.path)).toBe(false);
  });

  it('decides with a folder for all that is in it', () => {
    const selection = new Selection();
    selection.toggle(LOSS);
    selection.toggle(PLOTS);
    expect(selection.request).toEqual({ paths: null, except: [PLOTS.path] });
    expect(selection.isChosen(LOSS.path)).toBe(false);
    expect(selection.isDecided(LOSS.path)).toBe(true);
    expect(selection.isDecided(PLOTS.path)).toBe(false);
    // Each file is counted once.
    expect(selection.chosenOf(ephemeral())).toEqual({ files: 1, bytes: 1e9 });
  });
});
