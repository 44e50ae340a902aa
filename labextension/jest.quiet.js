/* A console that says something makes a test red: who expects it has it in a spy. */
const LEVELS = ['error', 'warn', 'info', 'log'];
const said = [];

for (const level of LEVELS) {
  console[level] = (...words) => said.push([level, ...words]);
}

afterEach(() => {
  expect(said.splice(0)).toEqual([]);
});
