// `npm run bench`: all measurements, one after the other. Each prints ratios to a baseline of the same run; absolute
// times say little on a machine that does other things too.

for (const file of ['login', 'tokens', 'growth', 'unfinished', 'step-up', 'audit', 'admin']) {
  console.log(`\n== ${file}`)
  await import(`./${file}.ts`)
}
process.exit()
