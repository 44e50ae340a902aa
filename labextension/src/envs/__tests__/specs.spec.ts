import { isBareName, nameOf, replaceName, splitSpecs } from '../specs';

describe('nameOf', () => {
  it.each([
    ['numpy', 'numpy'],
    ['NumPy <2', 'numpy'],
    ['numpy>=1,<2', 'numpy'],
    ['conda-forge::numpy=1.26', 'numpy'],
    ['numpy[version=">=1"]', 'numpy'],
    ['r-base 4.*', 'r-base'],
    ['ruamel.yaml', 'ruamel.yaml'],
    ['', '']
  ])('of "%s" is "%s"', (spec, name) => {
    expect(nameOf(spec)).toBe(name);
  });
});

describe('replaceName', () => {
  it('keeps channel and version', () => {
    expect(replaceName('nunpy', 'numpy')).toBe('numpy');
    expect(replaceName('nunpy <2', 'numpy')).toBe('numpy <2');
    expect(replaceName('conda-forge::nunpy>=1', 'numpy')).toBe(
      'conda-forge::numpy>=1'
    );
  });
});

describe('splitSpecs', () => {
  it.each([
    ['numpy', ['numpy']],
    ['numpy <2', ['numpy <2']],
    ['numpy < 2', ['numpy < 2']],
    ['numpy >=1,<2', ['numpy >=1,<2']],
    ['numpy >=1, <2', ['numpy >=1, <2']],
    ['numpy 1.26.*', ['numpy 1.26.*']],
    ['numpy pandas', ['numpy', 'pandas']],
    ['numpy, pandas <3\nscipy', ['numpy', 'pandas <3', 'scipy']],
    ['  ', []]
  ])('of "%s"', (text, specs) => {
    expect(splitSpecs(text)).toEqual(specs);
  });
});

describe('isBareName', () => {
  it('is what a comma ends', () => {
    expect(isBareName('numpy')).toBe(true);
    expect(isBareName('numpy >=1')).toBe(false);
    expect(isBareName('')).toBe(false);
  });
});
