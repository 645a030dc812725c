// Node strips types of no file below node_modules, so the published package has dist/; the checkout, where it is linked,
// has the sources and needs no build. This turns the exports of package.json from the one into the other: `prepack` calls
// it with "dist" (npm reads the file after that), `postpack` with "source". If packing breaks off between the two, the
// second puts it right.

import { readFileSync, writeFileSync } from 'node:fs'

const file = new URL('package.json', import.meta.url)
const manifest = JSON.parse(readFileSync(file, 'utf8'))
for (const [subpath, target] of Object.entries(manifest.exports)) {
  if (subpath === './package.json') continue
  const name = (target.default ?? target).replace(/^\.\/(dist\/)?|\.[jt]s$/g, '')
  manifest.exports[subpath] =
    process.argv[2] === 'dist'
      ? { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` }
      : `./${name}.ts`
}
writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`)
