/** `npm run docs`: writes the parts of the documentation that are made from code, and are checked in. */
import { writeFile } from 'node:fs/promises';

import { generatedPages } from './generated-pages.ts';

for (const { file, content } of await generatedPages()) await writeFile(file, content);
