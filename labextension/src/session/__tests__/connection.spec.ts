import { Connection } from '../connection';
import { Contact, ILook, judge } from '../judge';
import { setVisible } from '../../gpu/__tests__/fakes';

const LAPTOP = { online: true, hub: false, local: true };
const HUB = { online: true, hub: true, local: false };
const REMOTE = { online: true, hub: false, local: false };
const OFFLINE = { ...REMOTE, online: false };
const silent: ILook = { status: 0, started: null };
const status = (code: number): ILook => ({ status: code, started: null });
const tick = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

describe('what it means that a server does not answer', () => {
  const cases: [
    string,
    ILook,
    Contact,
    number,
    boolean,
    typeof HUB,
    Contact
  ][] = [
    [
      'it answers',
      { status: 200, started: 'one' },
      'fine',
      0,
      false,
      HUB,
      'fine'
    ],
    [
      'it is another one',
      { status: 200, started: 'two' },
      'gone',
      60,
      false,
      HUB,
      'returned'
    ],
    [
      'it is the same again',
      { status: 200, started: 'one' },
      'gone',
      60,
      false,
      HUB,
      'fine'
    ],
    ['another wants a login', status(403), 'gone', 60, false, HUB, 'returned'],
    [
      'a hub says that it does not run',
      status(424),
      'fine',
      0,
      false,
      HUB,
      'gone'
    ],
    [
      'a proxy does not reach it yet',
      status(503),
      'interrupted',
      2,
      false,
      HUB,
      'interrupted'
    ],
    [
      'a proxy has not reached it for long',
      status(503),
      'interrupted',
      6,
      false,
      HUB,
      'gone'
    ],
    [
      'the platform is away',
      silent,
      'interrupted',
      3600,
      false,
      HUB,
      'interrupted'
    ],
    [
      'there is no network',
      silent,
      'interrupted',
      3600,
      false,
      OFFLINE,
      'interrupted'
    ],
    ['it is on this computer', silent, 'interrupted', 6, false, LAPTOP, 'gone'],
    [
      'it may be the network',
      silent,
      'interrupted',
      6,
      false,
      REMOTE,
      'interrupted'
    ],
    ['it is away for long', silent, 'interrupted', 60, false, REMOTE, 'gone'],
    ['an end had begun', silent, 'fine', 0, true, HUB, 'gone'],
    ['it was gone before', silent, 'gone', 60, false, OFFLINE, 'gone'],
    [
      'something odd answers',
      status(500),
      'interrupted',
      60,
      false,
      HUB,
      'interrupted'
    ]
  ];

  it.each(cases)('%s', (_, look, was, failing, ending, around, expected) => {
    expect(judge(look, 'one', was, failing, ending, around)).toBe(expected);
  });
});

describe('Connection', () => {
  beforeEach(() => {
    jest.useFakeTimers();
    setVisible(true);
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  async function begin(around = HUB) {
    const told = { look: { status: 200, started: 'one' } as ILook };
    const look = jest.fn(() => Promise.resolve(told.look));
    const connection = new Connection({ look, around: () => around });
    await connection.meet();
    look.mockClear();
    const contacts: Contact[] = [];
    connection.changed.connect(() => contacts.push(connection.contact));
    return { connection, contacts, look, told };
  }

  it('looks only after somebody has failed', async () => {
    const { connection, look } = await begin();
    await tick(3600000);
    window.dispatchEvent(new Event('online'));
    await tick(0);
    expect(look).not.toHaveBeenCalled();
    connection.dispose();
  });

  it('looks when the browser says that there is no network', async () => {
    const { connection, look, told } = await begin(OFFLINE);
    told.look = silent;
    window.dispatchEvent(new Event('offline'));
    await tick(3000);
    expect(look.mock.calls.length).toBeGreaterThan(1);
    expect(connection.contact).toBe('interrupted');
    connection.dispose();
  });

  it('forgets what was over at the first look', async () => {
    const { connection, contacts, look } = await begin();
    connection.suspect();
    await tick(60000);
    expect(look).toHaveBeenCalledTimes(1);
    expect(new Set(contacts)).toEqual(new Set(['fine']));
    connection.dispose();
  });

  it('looks less and less often, and goes by itself when it answers', async () => {
    const { connection, look, told } = await begin();
    told.look = silent;
    connection.suspect();
    connection.suspect();
    await tick(5 * 60000);
    expect(connection.contact).toBe('interrupted');
    expect(look.mock.calls.length).toBeGreaterThan(20);
    expect(look.mock.calls.length).toBeLessThan(45);
    told.look = { status: 200, started: 'one' };
    await tick(11000);
    expect(connection.contact).toBe('fine');
    expect(connection.failing).toBe(0);
    connection.dispose();
  });

  it('asks nothing while nobody sees the page, and at once when somebody does', async () => {
    const { connection, look, told } = await begin();
    told.look = silent;
    connection.suspect();
    await tick(3000);
    setVisible(false);
    await tick(20000);
    look.mockClear();
    await tick(3600000);
    expect(look).not.toHaveBeenCalled();
    told.look = status(424);
    setVisible(true);
    await tick(0);
    expect(connection.contact).toBe('gone');
    connection.dispose();
  });

  it('takes a failure for the end where one was known', async () => {
    const { connection, told } = await begin(OFFLINE);
    connection.isEnding = () => true;
    told.look = silent;
    connection.suspect();
    await tick(0);
    expect(connection.contact).toBe('gone');
    told.look = { status: 200, started: 'two' };
    await tick(11000);
    expect(connection.contact).toBe('returned');
    connection.dispose();
  });
});
