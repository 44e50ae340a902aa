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
    ['requests[socks]>=2', 'requests'],
    ['Pkg @ https://example.org/pkg.whl', 'pkg'],
    ['pkg@https://example.org/pkg.whl', 'pkg'],
    ['x; python_version < "3.12"', 'x'],
    ['six (>=1)', 'six'],
    ['git+ssh://git@example.org/one', 'git+ssh://git@example.org/one'],
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
    [
      'numpy[version=">=1, <2", build=py*] scipy',
      ['numpy[version=">=1, <2", build=py*]', 'scipy']
    ],
    ['  ', []]
  ])('of conda: "%s"', (text, specs) => {
    expect(splitSpecs(text, 'conda')).toEqual(specs);
  });

  it.each([
    ['pkg @ https://example.org/a,b/pkg-1.0-py3-none-any.whl#sha256=abc'],
    ['pkg@https://example.org/pkg.whl'],
    ['pkg @ https://example.org/pkg.whl ; python_version < "3.12"'],
    ['pkg[a] @ git+https://example.org/pkg.git@v1'],
    ['x; python_version < "3.12"'],
    ['x ; python_version < "3.12" and sys_platform == "linux"'],
    ['x>=1; sys_platform in "linux, darwin"'],
    ['x; (os_name == "posix")']
  ])('keeps what only pip knows as one, whoever is asked: "%s"', text => {
    expect(splitSpecs(text, 'pip')).toEqual([text]);
    expect(splitSpecs(text, 'conda')).toEqual([text]);
  });

  it.each([
    ['x[a,b]>=1,<2', ['x[a,b]>=1,<2']],
    ['x[a, b] >= 1, < 2', ['x[a, b] >= 1, < 2']],
    ['x (>=1,<2)', ['x (>=1,<2)']],
    ['cowsay requests', ['cowsay', 'requests']],
    ['cowsay==6.1, requests', ['cowsay==6.1', 'requests']],
    ['x[a,b]>=1,<2, six', ['x[a,b]>=1,<2', 'six']],
    [
      'pkg @ https://example.org/pkg.whl, six',
      ['pkg @ https://example.org/pkg.whl', 'six']
    ],
    [
      'x; python_version < "3.12"\nsix\n# none\ny>=1  # why',
      ['x; python_version < "3.12"', 'six', 'y>=1']
    ],
    ['x; python_version < "3.12", six', ['x; python_version < "3.12"', 'six']],
    [
      'git+https://example.org/x.git six',
      ['git+https://example.org/x.git', 'six']
    ],
    ['./here.whl', ['./here.whl']],
    ['cowsay 6.1', ['cowsay 6.1']],
    ['', []]
  ])('of pip: "%s"', (text, specs) => {
    expect(splitSpecs(text, 'pip')).toEqual(specs);
  });

  it('leaves a channel given by its address to conda', () => {
    const spec = 'https://example.org/channel::numpy >=1,<2';
    expect(splitSpecs(spec, 'conda')).toEqual([spec]);
  });
});

describe('isBareName', () => {
  it('is what a comma ends', () => {
    expect(isBareName('numpy')).toBe(true);
    expect(isBareName('numpy >=1')).toBe(false);
    expect(isBareName('')).toBe(false);
  });
});
