import { MlinfnError } from '../../api';
import { IEnvironmentList } from '../api';
import { EnvsModel, freeLabel } from '../model';

const list = {
  environments: [{ id: 'e1' }],
  places: {},
  warnings: ['channel_priority has no effect']
} as unknown as IEnvironmentList;

describe('EnvsModel', () => {
  it('keeps the list while the server does not answer', async () => {
    const read = jest.fn(() => Promise.resolve(list));
    const model = new EnvsModel(read);
    expect(model.environments).toBeNull();
    await model.refresh();
    expect(model.get('e1')?.id).toBe('e1');
    read.mockRejectedValueOnce(
      new MlinfnError({ message: 'storage is gone', reason: null }, 424)
    );
    await model.refresh();
    expect(model.error?.message).toBe('storage is gone');
    expect(model.environments?.length).toBe(1);
    expect(model.warnings.length).toBe(1);
    model.dispose();
  });
});

describe('freeLabel', () => {
  it('is one that is not taken, in whatever case', () => {
    expect(freeLabel([], 'myenv')).toBe('myenv');
    expect(freeLabel(['MyEnv', 'myenv-2'], 'myenv')).toBe('myenv-3');
  });
});
