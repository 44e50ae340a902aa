/**
 * A conda match spec and a requirement of pip as far as the forms have to know them:
 * https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html
 * https://packaging.python.org/en/latest/specifications/dependency-specifiers/
 */
import type { Manager } from './changesApi';

/**
 * What begins the version part: an operator, a digit or a star.
 */
const VERSION = /^[<>=!~*\d]/;

/**
 * An address: where it names a package, it is all of its name.
 */
const ADDRESS = /^[a-z][\w+.-]*:\/\//i;

/**
 * What only a requirement of pip has: an address after the name, or a marker.
 */
const ONLY_PIP =
  /^[a-z][\w+.-]*:\/\/(?!\S*::)|@\s*[a-z][\w+.-]*:|;\s*\(*\s*[\w.]+\s*(?:[<>=!~]|in\b|not\b)/i;

/**
 * One requirement of pip in a text that may hold several. What is no requirement
 * is taken word by word: pip says what is wrong with it.
 */
const REQUIREMENT = ((): RegExp => {
  const clause = '(?:[<>=!~]{1,3}\\s*[^\\s,;()]+)';
  const version = `\\s*\\(?\\s*${clause}(?:\\s*,\\s*${clause})*\\s*\\)?`;
  const name = '[a-z\\d][\\w.-]*(?:\\s*\\[[^\\]]*\\])?';
  const address = '[a-z][\\w+.-]*:[^\\s]*[^\\s,;]';
  const known = `(?:${address}|${name}(?:\\s*@\\s*${address}|${version}|\\s+\\d[^\\s,;]*)?)`;
  const marker = '\\s*;\\s*(?:"[^"]*"|\'[^\']*\'|[^,"\'])+';
  return new RegExp(`${known}(?:${marker})?(?=[\\s,;]|$)|[^\\s,]+`, 'gi');
})();

/**
 * The package's name in a spec, lower case: numpy of `conda-forge::NumPy >=1,<2`.
 */
export function nameOf(spec: string): string {
  const afterChannel = spec.trim().replace(/^.*::/, '');
  if (ADDRESS.test(afterChannel)) {
    return afterChannel;
  }
  const match = /^[^\s<>=!~[*@;(]+/.exec(afterChannel);
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
 *
 * @param manager whose specs they are. What only pip understands stays whole for
 * conda too: it is then refused as what it is, and can still be given to pip.
 */
export function splitSpecs(text: string, manager: Manager): string[] {
  const specs: string[] = [];
  for (const line of text.split('\n')) {
    const isPip = manager === 'pip' || ONLY_PIP.test(line.trim());
    specs.push(...(isPip ? splitRequirements(line) : splitMatchSpecs(line)));
  }
  return specs;
}

function splitRequirements(line: string): string[] {
  // As in a file of requirements.
  const told = line.replace(/(^|\s)#.*$/, '');
  return (told.match(REQUIREMENT) ?? []).map(found => found.trim());
}

function splitMatchSpecs(line: string): string[] {
  const specs: string[] = [];
  // What stands in brackets belongs to the spec before them.
  for (const chunk of line.split(/;|,(?!\s*[<>=!~*\d])(?![^[\]]*\])/)) {
    let isOpen = false;
    const words = chunk.split(/\s+(?![^[\]]*\])/).filter(part => part);
    for (const word of words) {
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
