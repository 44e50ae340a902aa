/* A console that says something makes a test red: who expects it has it in a spy. */
// What is waited for comes, however busy the machine is; see CONTRIBUTING.md.
require('@testing-library/react').configure({ asyncUtilTimeout: 60000 });
jest.setTimeout(120000);

const LEVELS = ['error', 'warn', 'info', 'log'];
const said = [];

for (const level of LEVELS) {
  console[level] = (...words) => said.push([level, ...words]);
}

afterEach(() => {
  expect(said.splice(0)).toEqual([]);
});
