/* What JSDOM has not, and JupyterLab complains of when it is loaded. */
Object.defineProperty(window.navigator, 'clipboard', {
  value: { readText: async () => '', writeText: async () => undefined }
});
