import { LabIcon } from '@jupyterlab/ui-components';

const LAYERS =
  '<path d="M12 3 2.5 8 12 13l9.5-5z"/>' +
  '<path d="m4.9 11.2-2.4 1.3 9.5 5 9.5-5-2.4-1.3L12 15z"/>';

/**
 * A stack of layers: an environment.
 */
export const environmentIcon = new LabIcon({
  name: 'jupyter-mlinfn:environment',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">' +
    `<g class="jp-icon3" fill="#616161">${LAYERS}` +
    '<path d="m4.9 15.7-2.4 1.3 9.5 5 9.5-5-2.4-1.3-7.1 3.8z"/></g></svg>'
});

/**
 * The same with a plus: a new environment.
 */
export const newEnvironmentIcon = new LabIcon({
  name: 'jupyter-mlinfn:new-environment',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">' +
    `<g class="jp-icon3" fill="#616161">${LAYERS}` +
    '<path d="M17 15.5h2v2.5h2.5v2H19v2.5h-2V20h-2.5v-2H17z"/></g></svg>'
});

/**
 * A board with its fan: a GPU.
 */
export const gpuIcon = new LabIcon({
  name: 'jupyter-mlinfn:gpu',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">' +
    '<g class="jp-icon3" fill="#616161">' +
    '<path d="M2 4h2.5v16H2z"/>' +
    '<path fill-rule="evenodd" d="M6 6h16v10H6zm8 1.5a3.5 3.5 0 1 0 0 7 3.5' +
    ' 3.5 0 0 0 0-7z"/>' +
    '<path d="M12.5 9.5h3v3h-3zM7 17.5h3V19H7zM11.5 17.5h3V19h-3z"/></g></svg>'
});

/**
 * A disk drive with its light: storage.
 */
export const storageIcon = new LabIcon({
  name: 'jupyter-mlinfn:storage',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">' +
    '<path class="jp-icon3" fill="#616161" fill-rule="evenodd" d="M6 4h12l4' +
    ' 9v7H2v-7zm1.3 2-3.1 7h15.6l-3.1-7zM4 15v3h16v-3zm12 .5h2v2h-2z"/></svg>'
});

/**
 * A leaf: what is not needed is given back. Its colour is that of the text.
 */
export const leafIcon = new LabIcon({
  name: 'jupyter-mlinfn:leaf',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">' +
    '<path fill="currentColor" d="M20.5 3.5C11 3.5 5 7.6 5 14.3c0' +
    ' 1.3.3 2.5.9 3.5L3.5 20.2 4.9 21.6 7.3 19.2c1 .6 2.2 1' +
    ' 3.5 1C18 20.2 20.5 12.8 20.5 3.5zM8.8 17.7l5-5a1 1 0 0' +
    ' 0-1.4-1.4l-5 5c-.3-.6-.4-1.3-.4-2 0-4.9 4.2-8.1' +
    ' 11.4-8.7-.5 7.4-2.8 12.6-7.6 12.6-.7 0-1.4-.2-2-.5z"/></svg>'
});

/**
 * An hourglass: an end that comes near.
 */
export const hourglassIcon = new LabIcon({
  name: 'jupyter-mlinfn:hourglass',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">' +
    '<path class="jp-icon3" fill="#616161" d="M5 2h14v2h-1.5v3.5L13.5 12l4' +
    ' 4.5V20H19v2H5v-2h1.5v-3.5l4-4.5-4-4.5V4H5zm3.5 2v2.7L12' +
    ' 10.7l3.5-4V4zM12 13.3l-3.5 4V20h7v-2.7z"/></svg>'
});

/**
 * A triangle with a mark in it: something to heed. Its colour is that of the text.
 */
export const cautionIcon = new LabIcon({
  name: 'jupyter-mlinfn:caution',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">' +
    '<path fill="currentColor" fill-rule="evenodd" d="M12 3 1.5 21h21zm-1' +
    ' 7h2v5h-2zm0 6.5h2v2h-2z"/></svg>'
});
