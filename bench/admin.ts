// What admins do to many users at once, part by part.

for (const part of ['list', 'reset']) {
  console.log(`-- ${part}`)
  await import(`./admin-${part}.ts`)
}
