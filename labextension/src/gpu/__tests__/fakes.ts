import {
  IGpuAnswer,
  IGpuDevice,
  IGpuProcess,
  IGpuReleased,
  IGpuSample,
  IGpuState,
  IGpuView
} from '../api';
import { PersonInput } from '../../attention';
import { Attention } from '../attention';
import { GpuModel } from '../model';

export const GIB = 1024 ** 3;
export const START = Date.parse('2026-11-24T12:00:00Z');

export function device(change: Partial<IGpuDevice> = {}): IGpuDevice {
  return {
    uuid: 'MIG-1',
    kind: 'mig',
    name: 'A100-PCIE-40GB',
    profile: '1g.5gb',
    gi: 9,
    ci: 0,
    sm_count: 14,
    slices: 1,
    board_slices: 7,
    memory_total: 4.75 * GIB,
    memory_reserved: 0,
    memory_used: 3.1 * GIB,
    memory_free: 1.65 * GIB,
    utilisation: null,
    utilisation_note: 'not reported by the driver for this MIG instance',
    board: {
      uuid: 'GPU-1',
      index: 0,
      temperature: 41,
      power: 120.4,
      power_limit: 250,
      sm_clock: 1410,
      memory_clock: null,
      ecc: true,
      ecc_errors: 0
    },
    ...change
  };
}

export function process(
  pid: number,
  memory: number | null,
  owner: Partial<IGpuProcess['owner']> = {},
  change: Partial<IGpuProcess> = {}
): IGpuProcess {
  return {
    pid,
    device: 'MIG-1',
    memory,
    memory_note: memory === null ? 'The driver gives no sizes.' : '',
    command: 'python -m ipykernel_launcher',
    owner: {
      kind: 'notebook',
      id: `kernel-${pid}`,
      title: 'train.ipynb',
      path: 'work/train.ipynb',
      ...owner
    },
    note: '',
    ...change
  };
}

export function state(change: Partial<IGpuState> = {}): IGpuState {
  return {
    kind: 'fine',
    severity: 'ok',
    sentence: 'All is well.',
    next_step: '',
    partial: false,
    since: '2026-11-24T11:00:00Z',
    ...change
  };
}

export function view(change: Partial<IGpuView> = {}): IGpuView {
  return {
    state: state(),
    present: true,
    simulated: false,
    driver: { version: '570.86.15', cuda: '12.8' },
    selection: { source: 'NVIDIA_VISIBLE_DEVICES', ambiguous: false, note: '' },
    devices: [device()],
    processes: { time: null, list: [], other_bytes: null, note: '' },
    usage: {
      since: '2026-11-24T11:00:00Z',
      held_seconds: 11520,
      used_seconds: 2460,
      memory_seconds: 2460,
      busy_seconds: 600,
      slices: 1,
      accounting: true
    },
    ...change
  };
}

/**
 * @param seconds after the start
 */
export function sample(
  seq: number,
  seconds: number,
  used: number | null,
  change: Partial<IGpuSample> = {}
): IGpuSample {
  return {
    seq,
    time: new Date(START + seconds * 1000).toISOString(),
    device: 'MIG-1',
    used,
    utilisation: null,
    ...change
  };
}

export function answer(change: Partial<IGpuAnswer> = {}): IGpuAnswer {
  return { seq: 0, revision: 1, samples: [], view: view(), ...change };
}

/**
 * A model that is read by hand: each read is answered with what is told.
 */
export function setUp(first: IGpuAnswer = answer()) {
  const told = { answer: first };
  const source = {
    read: jest.fn((since: number, revision: number) =>
      Promise.resolve(told.answer)
    ),
    release: jest.fn((kernels: string[]): Promise<IGpuReleased> =>
      Promise.resolve({
        shut: kernels,
        failed: [],
        freed_bytes: 0,
        freed_note: ''
      })
    )
  };
  const attention = new Attention(new PersonInput(() => true));
  const model = new GpuModel(source, attention);
  return { attention, model, source, told };
}

/**
 * Make the page visible, or hide it.
 */
export function setVisible(isVisible: boolean): void {
  Object.defineProperty(document, 'visibilityState', {
    configurable: true,
    get: () => (isVisible ? 'visible' : 'hidden')
  });
  document.dispatchEvent(new Event('visibilitychange'));
}
