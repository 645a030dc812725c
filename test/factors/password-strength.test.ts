import { setImmediate } from 'node:timers/promises'
import { expect } from 'chai'
import { HashQueueFull } from '../../src/factors/password.ts'
import { judgePassword, type PasswordRule } from '../../src/factors/password-strength.ts'

const rule: PasswordRule = {
  minLength: 8,
  names: ['Dana Whitlock', 'd.whitlock+it@copperline.example', 'Blue Heron Services'],
  product: 'Sallyport',
}

const refused = (reason: string, more: object = {}) => ({ ok: false, reason, ...more })

describe('password strength', () => {
  it('accepts long, odd and foreign passwords', async () => {
    for (const password of [
      'seventeen slow otters',
      'Xk9#vq2Lp!wT',
      'выхухоль гуляет ночью',
      'きつねが月へ飛んでいった',
      'correct horse battery staple',
      `${'seventeen slow otters '.repeat(5)} tail`,
    ])
      expect(await judgePassword(password, rule), password).to.deep.equal({ ok: true })
  })

  it('wants 8 code points with a second factor, 15 without', async () => {
    expect(await judgePassword('Xk9#vq2', rule)).to.deep.equal(
      refused('too_short', { length: 7, minLength: 8 }),
    )
    expect(await judgePassword('Xk9#vq2L', rule)).not.to.include({ reason: 'too_short' })
    const single: PasswordRule = { ...rule, minLength: 15 }
    expect(await judgePassword('Xk9#vq2Lp!wT4z', single)).to.deep.equal(
      refused('too_short', { length: 14, minLength: 15 }),
    )
    expect(await judgePassword('Xk9#vq2Lp!wT4zR', single)).to.deep.equal({ ok: true })
  })

  it('counts code points after normalising', async () => {
    expect(await judgePassword('👍👍👍👍👍👍👍', rule)).to.include({ reason: 'too_short', length: 7 })
    expect(await judgePassword('e\u0301'.repeat(7), rule)).to.include({ reason: 'too_short', length: 7 })
    expect(await judgePassword('', rule)).to.include({ reason: 'too_short', length: 0 })
  })

  it('refuses more than 256 code points at once', async () => {
    expect(await judgePassword('x'.repeat(257), rule)).to.deep.equal(refused('too_long', { maxLength: 256 }))
    expect(await judgePassword('x'.repeat(1_000_000), rule)).to.include({ reason: 'too_long' })
  })

  it('L9: refuses NUL and other control characters', async () => {
    expect(await judgePassword('Xk9#vq2L\0p!wT', rule)).to.deep.equal(refused('control_characters'))
  })

  it('refuses what is on the list of common passwords, in any case', async () => {
    for (const password of ['trustno1', 'TrustNo1', 'qwertyuiop', 'QWERTYUIOP', '123456789987654321'])
      expect(await judgePassword(password, rule), password).to.deep.equal(refused('common'))
  })

  it("refuses the user's, the organisation's and the product's name, and says which", async () => {
    for (const [password, name] of [
      ['my Sallyport door 99', 'sallyport'],
      ['xx-WHITLOCK-93-otter', 'whitlock'],
      ['danawhitlock ate figs', 'danawhitlock'],
      ['copperline9 zebra fig', 'copperline'],
      ['grey heron at dawn 71', 'heron'],
    ] as const)
      expect(await judgePassword(password, rule), password).to.deep.equal(refused('contains_name', { name }))
  })

  it('finds a name in whatever form its letters come', async () => {
    const named: PasswordRule = { ...rule, names: ['Zoe\u0308 Mu\u0308ller'] }
    expect(await judgePassword('otters of M\u00dcLLER 1971', named)).to.include({ reason: 'contains_name' })
  })

  it('minds no part of a name below four characters, nor a top-level domain', async () => {
    const named: PasswordRule = { ...rule, names: ['Ann Lee', 'al@it.example'] }
    expect(await judgePassword('annoyed example sleet', named)).to.deep.equal({ ok: true })
    expect(await judgePassword('otter annlee figs 71', named)).to.include({ name: 'annlee' })
  })

  it('refuses what is long but easily guessed', async () => {
    for (const password of ['Password123456789', 'aaaaaaaaaaaaaaaaaaaa', 'abcdefgh12345678', '2001-09-11'])
      expect(await judgePassword(password, rule), password).to.include({ ok: false })
    expect(await judgePassword('p@ssw0rd'.repeat(10), rule)).to.deep.equal(refused('too_weak'))
  })

  it('scores the first 100 characters alone', async () => {
    expect(await judgePassword(`${'a'.repeat(100)} seventeen slow otters`, rule)).to.deep.equal(
      refused('too_weak'),
    )
  })

  it('never holds up other requests, even with the costliest password', async () => {
    const costly = '//wuu|22|2\\/||||2uw/uwv|2w_u|_'.repeat(4).slice(0, 100)
    await judgePassword(costly, rule)
    let judged = false
    let turns = 0
    const judging = judgePassword(costly, rule).finally(() => {
      judged = true
    })
    for (; !judged; turns++) await setImmediate()
    await judging
    expect(turns).to.be.above(20)
  })

  it('F16: judges many at once in turn, and says busy to the rest', async () => {
    const verdicts = await Promise.allSettled(
      Array.from({ length: 100 }, (_, index) =>
        judgePassword(index % 2 ? 'trustno1' : 'seventeen slow otters', rule),
      ),
    )
    const done = verdicts.filter(verdict => verdict.status === 'fulfilled')
    expect(done).to.have.length(65)
    verdicts.forEach((verdict, index) => {
      if (verdict.status === 'fulfilled')
        expect(verdict.value).to.deep.equal(index % 2 ? refused('common') : { ok: true })
      else expect(verdict.reason).to.be.instanceOf(HashQueueFull)
    })
  })
})
