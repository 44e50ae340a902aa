import { TranslationBundle } from '@jupyterlab/translation';

import { GpuVerdict, ICuda, ICudaMark, IGpuCheckShort } from './cudaApi';

/**
 * For which CUDA packages are chosen, and who says so, in a sentence.
 *
 * @param asked what the user chose: a version, 'none', or '' for nothing
 */
export function describeCuda(
  cuda: ICuda,
  asked: string,
  trans: TranslationBundle
): string {
  if (asked === 'none') {
    return trans.__('Builds that need no GPU are chosen, as you asked.');
  }
  if (asked !== '') {
    return trans.__('Packages are chosen for CUDA %1, as you asked.', asked);
  }
  const { version, source } = cuda;
  if (version === null) {
    switch (source) {
      case 'site':
        return trans.__('Builds that need no GPU are chosen, as set up here.');
      case 'override':
        return trans.__(
          'Builds that need no GPU are chosen: CONDA_OVERRIDE_CUDA is empty.'
        );
      default:
        return cuda.here === false
          ? trans.__(
              'No GPU here, and none was seen yet: builds that need none are chosen.'
            )
          : trans.__('No GPU was seen yet: builds that need none are chosen.');
    }
  }
  switch (source) {
    case 'driver':
      return trans.__("This server's driver supports CUDA %1.", version);
    case 'remembered': {
      const day = dayOf(cuda.seen);
      const server = cuda.server ?? '';
      return cuda.here === false
        ? trans.__(
            'No GPU here; packages are chosen for CUDA %1, as seen on %2 on %3.',
            version,
            day,
            server
          )
        : trans.__(
            'Packages are chosen for CUDA %1, as seen on %2 on %3.',
            version,
            day,
            server
          );
    }
    case 'override':
      return trans.__(
        'Packages are chosen for CUDA %1, as CONDA_OVERRIDE_CUDA says.',
        version
      );
    case 'site':
      return trans.__(
        'Packages are chosen for CUDA %1, as set up here.',
        version
      );
    default:
      return trans.__('Packages are chosen for CUDA %1.', version);
  }
}

/**
 * 12 Nov
 */
function dayOf(time: string | null): string {
  return time === null
    ? ''
    : new Date(time).toLocaleDateString(undefined, {
        day: 'numeric',
        month: 'short'
      });
}

/**
 * Which build of a package is chosen, and why not the one for CUDA.
 *
 * @param chosen the CUDA that packages are chosen for; null for none
 */
export function describeMark(
  mark: ICudaMark,
  chosen: string | null,
  trans: TranslationBundle
): string {
  const { name, build, cuda, needs, version } = mark;
  if (build === 'cuda') {
    return cuda === null
      ? trans.__('%1: a build for CUDA', name)
      : trans.__('%1: a build for CUDA %2', name, cuda);
  }
  if (chosen === null) {
    return needs === null
      ? trans.__('%1: the build for the CPU; there is one for CUDA', name)
      : trans.__(
          '%1: the build for the CPU; there is one for CUDA %2 or newer',
          name,
          needs
        );
  }
  if (needs !== null) {
    return trans.__(
      '%1: the build for the CPU; the one for CUDA needs CUDA %2 or newer',
      name,
      needs
    );
  }
  return version !== null
    ? trans.__(
        '%1: the build for the CPU; only version %2 has one for CUDA',
        name,
        version
      )
    : trans.__(
        '%1: the build for the CPU; the one for CUDA does not go with the others',
        name
      );
}

/**
 * A verdict in two words.
 */
export function describeVerdict(
  verdict: GpuVerdict,
  trans: TranslationBundle
): string {
  switch (verdict) {
    case 'ok':
      return trans.__('GPU ok');
    case 'problem':
      return trans.__('GPU problem');
    case 'unchecked':
      return trans.__('GPU not checked');
    default:
      return trans.__('no GPU framework');
  }
}

/**
 * The last verdict on an environment, for a badge.
 */
export function badgeOf(
  check: IGpuCheckShort,
  trans: TranslationBundle
): string {
  const verdict = describeVerdict(check.verdict, trans);
  return check.stale === null ? verdict : trans.__('%1, before', verdict);
}

/**
 * Why a verdict need not hold any more; '' where it does.
 */
export function describeStale(
  check: IGpuCheckShort,
  trans: TranslationBundle
): string {
  switch (check.stale) {
    case 'environment':
      return trans.__('The environment was changed since: check again.');
    case 'driver':
      return trans.__('The driver is another one now: check again.');
    default:
      return '';
  }
}
