// What is wrong with a configuration: with one value, and with all of it.

/** What is wrong with a value, as the end of a sentence that begins with the setting's name. Never holds the value of a secret. */
export class Problem extends Error {}

/** All that is wrong with the environment, one sentence each, beginning with the variable's name. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`the configuration cannot be used:\n${problems.map(each => `  ${each}`).join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}
