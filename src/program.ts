// How this program is called, where it runs: in its own checkout, or installed as a package.

/** What to type before a command. */
export const PROGRAM = import.meta.url.endsWith('.ts') ? 'npm run --silent cli --' : 'npx sallyport'
