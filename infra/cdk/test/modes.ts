/** Reads `{"mode": {"Parameter": "value"}}` from standard input and writes the template of each mode, for infra/tests. */
import { readFileSync } from 'node:fs';

import { synthesise } from './synthesise';

const modes: Record<string, Record<string, string>> = JSON.parse(readFileSync(0, 'utf8'));
const templates = Object.entries(modes).map(([mode, parameters]) => [mode, synthesise(parameters).toJSON()]);
process.stdout.write(JSON.stringify(Object.fromEntries(templates)));
