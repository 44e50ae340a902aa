import { PersonInput } from '../../attention';
import { Answering } from '../answering';
import { PageReporter } from '../reporter';
import { answer, setUp } from './fakes';

describe('a page that is asked for its documents', () => {
  it('answers each question once, with those of now', async () => {
    const { model, source, tell } = setUp();
    await model.refresh();
    const input = new PersonInput();
    const reporter = new PageReporter(source, input, model);
    const documents = { open: ['a.py', 'b.py'], unsaved: ['a.py'] };
    new Answering(model, reporter, () => documents);
    const answers = (): unknown[] =>
      source.report.mock.calls
        .map(([{ documents }]) => documents)
        .filter(told => told !== undefined);
    expect(answers()).toEqual([]);
    await tell(answer({ asked: 'one' }));
    await tell(answer({ asked: 'one' }));
    expect(answers()).toEqual([{ asked: 'one', ...documents }]);
    documents.unsaved = [];
    await tell(answer({ asked: 'two' }));
    await tell(answer());
    expect(answers()).toHaveLength(2);
    expect(answers()[1]).toEqual({ asked: 'two', ...documents });
    reporter.dispose();
    input.dispose();
    model.dispose();
  });
});
