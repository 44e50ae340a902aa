import { CoalescedRead } from '../coalesce';

/**
 * A read that ends when told to, and the reads so far.
 */
function controlled() {
  const ends: (() => void)[] = [];
  const read = new CoalescedRead(
    () => new Promise<void>(resolve => ends.push(resolve))
  );
  return { ends, read };
}

const settle = async () => {
  for (let turn = 0; turn < 10; turn++) {
    await Promise.resolve();
  }
};

describe('CoalescedRead', () => {
  it('never has more than one read under way', async () => {
    const { ends, read } = controlled();
    for (let event = 0; event < 20; event++) {
      void read.request();
    }
    expect(ends.length).toBe(1);
    ends[0]();
    await settle();
    expect(ends.length).toBe(2);
    ends[1]();
    await settle();
    expect(ends.length).toBe(2);
  });

  it('resolves only after a read that began later than the request', async () => {
    const { ends, read } = controlled();
    void read.request();
    let isDone = false;
    void read.request().then(() => {
      isDone = true;
    });
    ends[0]();
    await settle();
    expect(isDone).toBe(false);
    ends[1]();
    await settle();
    expect(isDone).toBe(true);
  });

  it('reads again when asked after the end', async () => {
    const { ends, read } = controlled();
    void read.request();
    ends[0]();
    await settle();
    void read.request();
    expect(ends.length).toBe(2);
  });
});
