import { MlinfnError } from '../../api';
import { destination, isWithin, Places } from '../model';
import { place } from './fakes';

describe('Places', () => {
  it('asks once for each folder, until something has changed', async () => {
    const read = jest.fn(async (path: string) => place({ path }));
    const places = new Places(read);
    const forgotten: string[] = [];
    places.forgotten.connect(() => forgotten.push('again'));
    await Promise.all([places.get('a'), places.get('a')]);
    await places.get('b');
    expect(read.mock.calls).toEqual([['a'], ['b']]);
    places.forget();
    expect(forgotten).toEqual(['again']);
    // What was told is not taken back before there is something else to tell.
    expect(places.known('a')?.path).toBe('a');
    await places.get('a');
    expect(read).toHaveBeenCalledTimes(3);
  });

  it('asks again where there was no answer', async () => {
    const read = jest
      .fn()
      .mockRejectedValueOnce(new MlinfnError({ message: 'x', reason: null }, 0))
      .mockResolvedValueOnce(place());
    const places = new Places(read);
    await expect(places.get('')).rejects.toThrow('x');
    expect(places.known('')).toBeNull();
    expect((await places.get('')).persistence).toBe('ephemeral');
  });
});

describe('destination', () => {
  it('keeps the path, below the folder that lasts', () => {
    expect(destination('fit.ipynb', place())).toBe('private/fit.ipynb');
    expect(destination('a/b/fit.ipynb', place())).toBe('private/a/b/fit.ipynb');
  });

  it('takes the name alone where it lies within that folder', () => {
    const root = place({ private: { path: '/home/me', root_path: '' } });
    expect(destination('scratch/fit.ipynb', root)).toBe('fit.ipynb');
    expect(destination('private/scratch/fit.ipynb', place())).toBe(
      'private/fit.ipynb'
    );
  });

  it('is nowhere where JupyterLab does not show that folder', () => {
    const outside = place({ private: { path: '/data', root_path: null } });
    expect(destination('fit.ipynb', outside)).toBeNull();
    expect(destination('fit.ipynb', place({ private: null }))).toBeNull();
  });
});

describe('isWithin', () => {
  it('goes by whole names', () => {
    expect(isWithin('private/a', 'private')).toBe(true);
    expect(isWithin('private', 'private')).toBe(true);
    expect(isWithin('private2', 'private')).toBe(false);
    expect(isWithin('anything', '')).toBe(true);
  });
});
