/**
 * A conda match spec as far as the form has to know it:
 * https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html
 */

/**
 * What begins the version part: an operator, a digit or a star.
 */
const VERSION = /^[<>=!~*\d]/;

/**
 * The package's name in a match spec, lower case: numpy of `conda-forge::NumPy >=1,<2`.
 */
export function nameOf(spec: string): string {
  const afterChannel = spec.trim().replace(/^.*::/, '');
  const match = /^[^\s<>=!~[*]+/.exec(afterChannel);
  return (match ? match[0] : '').toLowerCase();
}

/**
 * The same spec for a package of another name.
 */
export function replaceName(spec: string, name: string): string {
  const trimmed = spec.trim();
  const channel = /^.*::/.exec(trimmed)?.[0] ?? '';
  const rest = trimmed.slice(channel.length + nameOf(trimmed).length);
  return channel + name + rest;
}

/**
 * Whether the text is no more than a name: a comma ends it then, while in
 * `numpy >=1,<2` it belongs to the version.
 */
export function isBareName(text: string): boolean {
  return /^[\w.-]+$/.test(text.trim());
}

/**
 * The specs in a typed or pasted text: `numpy <2 pandas, scipy` are three.
 */
export function splitSpecs(text: string): string[] {
  const specs: string[] = [];
  for (const chunk of text.split(/[\n;]|,(?!\s*[<>=!~*\d])/)) {
    let isOpen = false;
    for (const word of chunk.split(/\s+/).filter(part => part)) {
      const last = specs.length - 1;
      const goesOn =
        isOpen && (VERSION.test(word) || /[<>=!~,|[]$/.test(specs[last]));
      if (goesOn) {
        specs[last] += ` ${word}`;
      } else {
        specs.push(word);
      }
      isOpen = true;
    }
  }
  return specs;
}

/**
 * The specs with others added; one of the same name is replaced.
 */
export function withSpecs(
  known: ReadonlyArray<string>,
  added: string[]
): string[] {
  const specs = known.slice();
  for (const spec of added) {
    const at = specs.findIndex(other => nameOf(other) === nameOf(spec));
    specs.splice(at < 0 ? specs.length : at, at < 0 ? 0 : 1, spec);
  }
  return specs;
}
