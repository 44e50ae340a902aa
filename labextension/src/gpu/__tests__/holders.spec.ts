import { arrange, canBeFreed, holdersOf } from '../holders';
import { GIB, process } from './fakes';

describe('holdersOf', () => {
  it('tells programs, not processes, and who holds most first', () => {
    const found = holdersOf([
      process(10, 0.5 * GIB, { id: 'a', title: 'small.ipynb' }),
      process(20, GIB, { id: 'b' }),
      process(21, 2 * GIB, { id: 'b' }),
      process(30, null, { kind: 'other', id: null, title: 'python' }),
      process(31, null, { kind: 'other', id: null, title: 'python' })
    ]);
    expect(found.map(({ key, memory }) => [key, memory])).toEqual([
      ['notebook b', 3 * GIB],
      ['notebook a', 0.5 * GIB],
      ['pid 30', null],
      ['pid 31', null]
    ]);
  });

  it('says that there is more where some sizes are not reported', () => {
    const [holder] = holdersOf([
      process(20, GIB, { id: 'b' }),
      process(21, null, { id: 'b' }, { note: 'It sees another device.' }),
      process(22, null, { id: 'b' })
    ]);
    expect(holder.memory).toBe(GIB);
    expect(holder.isMore).toBe(true);
    expect(holder.notes).toEqual([
      'The driver gives no sizes.',
      'It sees another device.'
    ]);
  });

  it('offers to free kernels only', () => {
    const kinds = (
      ['notebook', 'console', 'kernel', 'terminal', 'other'] as const
    ).filter(kind => canBeFreed(holdersOf([process(1, 1, { kind })])[0]));
    expect(kinds).toEqual(['notebook', 'console', 'kernel']);
  });
});

describe('arrange', () => {
  const [a, b, c] = ['a', 'b', 'c'].map(
    id => holdersOf([process(1, GIB, { id })])[0]
  );
  const order = (listed: ReturnType<typeof arrange>): string[] =>
    listed.map(
      ({ holder, isGone }) => `${holder.owner.id}${isGone ? ' gone' : ''}`
    );

  it('follows the amounts while nobody points at it', () => {
    expect(order(arrange([b, a], arrange([a, b], [], false), false))).toEqual([
      'b',
      'a'
    ]);
  });

  it('moves nothing under the pointer', () => {
    const before = arrange([a, b], [], true);
    expect(order(before)).toEqual(['a', 'b']);
    const after = arrange([c, b], before, true);
    expect(order(after)).toEqual(['a gone', 'b', 'c']);
    expect(order(arrange([c, b, a], after, true))).toEqual(['a', 'b', 'c']);
  });
});
