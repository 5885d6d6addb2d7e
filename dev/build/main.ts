/** `npm run build`: makes what is out of date; with names, only these parts. */
import { buildPart } from './build-part.ts';
import { PARTS, type PartName } from './parts.ts';

const known = Object.keys(PARTS) as PartName[];
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(known as string[]).includes(name));
if (unknown.length > 0) {
  console.error(`There is no part ${unknown.join(', ')}; there are ${known.join(', ')}.`);
  process.exit(2);
}
for (const name of wanted.length > 0 ? (wanted as PartName[]) : known) {
  try {
    console.log(`${name}: ${(await buildPart(name)) ? 'built' : 'up to date'}`);
  } catch (error) {
    console.error(`${name}: ${(error as Error).message}`);
    process.exit(1);
  }
}
