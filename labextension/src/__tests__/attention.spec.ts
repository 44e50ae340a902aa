import { PersonInput } from '../attention';

describe('PersonInput', () => {
  let input: PersonInput;
  let count: number;

  function listen(isReal?: (event: Event) => boolean): void {
    input = new PersonInput(isReal);
    count = 0;
    input.happened.connect(() => count++);
  }

  afterEach(() => {
    input.dispose();
  });

  const move = (screenX: number, screenY: number): boolean =>
    window.dispatchEvent(new MouseEvent('pointermove', { screenX, screenY }));

  it('takes nothing that a script dispatches', () => {
    listen();
    document.body.dispatchEvent(new Event('keydown'));
    move(1, 1);
    expect(count).toBe(0);
    expect(input.last).toBe(null);
  });

  it('takes pointer, keys, wheel and touch, and tells when', () => {
    listen(() => true);
    const before = performance.now();
    for (const name of ['pointerdown', 'keydown', 'wheel', 'touchstart']) {
      document.body.dispatchEvent(new Event(name));
    }
    expect(count).toBe(4);
    expect(input.last).toBeGreaterThanOrEqual(before);
    expect(input.last).toBeLessThanOrEqual(performance.now());
    input.dispose();
    document.body.dispatchEvent(new Event('keydown'));
    expect(count).toBe(4);
  });

  it('takes no move of a pointer that rests while the page moves', () => {
    listen(() => true);
    move(10, 10);
    move(10, 10);
    move(10, 10);
    expect(count).toBe(1);
    move(10, 11);
    expect(count).toBe(2);
  });

  it('takes no repetition of a key that something lies upon', () => {
    listen(() => true);
    window.dispatchEvent(new KeyboardEvent('keydown', { key: 'a' }));
    for (let i = 0; i < 9; i++) {
      window.dispatchEvent(
        new KeyboardEvent('keydown', { key: 'a', repeat: true })
      );
    }
    expect(count).toBe(1);
  });

  it('is one for the page', () => {
    listen();
    expect(PersonInput.ofPage()).toBe(PersonInput.ofPage());
  });
});
