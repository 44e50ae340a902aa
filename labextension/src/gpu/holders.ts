import { IGpuOwner, IGpuProcess } from './api';

/**
 * A program of the user's, with all its processes that hold GPU memory.
 */
export interface IHolder {
  key: string;
  owner: IGpuOwner;
  processes: IGpuProcess[];
  /** Of those whose size is reported; null where it is of none. */
  memory: number | null;
  /** Whether there is more than `memory`, for the size of some is not reported. */
  isMore: boolean;
  /** Devices that it holds memory of. */
  devices: string[];
  /** What is to be said of it, and why sizes are missing. */
  notes: string[];
}

/**
 * A holder as it is listed.
 */
export interface IListed {
  holder: IHolder;
  /** It holds nothing any more, and only keeps its place. */
  isGone: boolean;
}

/**
 * Who holds the memory, most first.
 */
export function holdersOf(processes: ReadonlyArray<IGpuProcess>): IHolder[] {
  const found = new Map<string, IGpuProcess[]>();
  for (const process of processes) {
    const { kind, id } = process.owner;
    const key = id === null ? `pid ${process.pid}` : `${kind} ${id}`;
    found.set(key, [...(found.get(key) ?? []), process]);
  }
  return Array.from(found, ([key, group]) => holderOf(key, group)).sort(
    (one, other) =>
      (other.memory ?? -1) - (one.memory ?? -1) ||
      one.owner.title.localeCompare(other.owner.title)
  );
}

/**
 * Whether shutting it down can be asked for here.
 */
export function canBeFreed({ owner }: IHolder): boolean {
  return (
    owner.id !== null && owner.kind !== 'terminal' && owner.kind !== 'other'
  );
}

/**
 * The order in which they are listed. Under the pointer nothing moves: who is
 * listed keeps its place, who has ended too, and who is new comes last.
 */
export function arrange(
  holders: IHolder[],
  before: IListed[],
  isHeld: boolean
): IListed[] {
  if (!isHeld) {
    return holders.map(holder => ({ holder, isGone: false }));
  }
  const kept = before.map(listed => {
    const holder = holders.find(({ key }) => key === listed.holder.key);
    return { holder: holder ?? listed.holder, isGone: !holder };
  });
  const known = new Set(before.map(({ holder }) => holder.key));
  const added = holders.filter(({ key }) => !known.has(key));
  return [...kept, ...added.map(holder => ({ holder, isGone: false }))];
}

function holderOf(key: string, processes: IGpuProcess[]): IHolder {
  const sizes = processes
    .map(({ memory }) => memory)
    .filter((memory): memory is number => memory !== null);
  const notes = processes.reduce<string[]>(
    (all, { memory, memory_note, note }) => [
      ...all,
      ...(memory === null ? [memory_note] : []),
      note
    ],
    []
  );
  return {
    key,
    owner: processes[0].owner,
    processes,
    memory: sizes.length > 0 ? sizes.reduce((sum, size) => sum + size) : null,
    isMore: sizes.length > 0 && sizes.length < processes.length,
    devices: distinct(
      processes
        .map(({ device }) => device)
        .filter((device): device is string => device !== null)
    ),
    notes: distinct(notes.filter(note => note))
  };
}

function distinct(texts: string[]): string[] {
  return Array.from(new Set(texts));
}
