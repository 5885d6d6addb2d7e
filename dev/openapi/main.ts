/** `npm run openapi`: generates the OpenAPI document and the client types. */
import { writeFile } from 'node:fs/promises';

import { generatedFiles } from './generated-files.ts';

for (const { file, content } of await generatedFiles()) await writeFile(file, content);
