// Scans a site with Mozilla's own scanner and prints what it says as JSON. Takes the scanner's folder and addresses.

import path from "node:path";

// Node 22 has it; the scanner needs no more of it than this.
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
