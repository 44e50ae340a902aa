import { Token } from '@lumino/coreutils';

import { Connection } from './connection';

/**
 * Whether this page has its server.
 */
export const IConnection = new Token<Connection>(
  'jupyter-mlinfn:IConnection',
  'Whether this page has its server; it is told when somebody could not reach it.'
);
