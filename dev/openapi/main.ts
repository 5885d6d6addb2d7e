/** `npm run openapi`: writes the OpenAPI document and the types of a client for it, both checked in. */
import { writeFile } from 'node:fs/promises';

import { generatedFiles } from './generated-files.ts';

for (const { file, content } of await generatedFiles()) await writeFile(file, content);
