// Scan sites with Mozilla Observatory and print the results as JSON.
// Usage: node observatory.mjs FOLDER_OF_THE_SCANNER HOST/PATH...

import path from "node:path";

// The scanner needs this method, which Node has from version 22 on.
Set.prototype.union ??= function (other) {
  return new Set([...this, ...other]);
};

const [folder, ...addresses] = process.argv.slice(2);
const { scan } = await import(path.join(folder, "node_modules/@mdn/mdn-http-observatory/src/scanner/index.js"));
const results = {};
for (const address of addresses) {
  results[address] = await scan(address);
}
console.log(JSON.stringify(results));
