// knex would write connection errors to the console by itself. They are thrown as well, and whoever catches them logs
// them, in the log's own form.

const nothing = (): void => undefined

export const quiet = { debug: nothing, warn: nothing, error: nothing, deprecate: nothing }
