// Samples of the console's page of the audit log.

import { type Catalogue, consoleFrame, minute, person, type Sample, time } from './ground.ts'

export const consoleAuditSamples = ({ t }: Catalogue): readonly Sample[] => {
  const known = ({ name, email }: { name: string; email: string }) => ({ name, email })
  const checked = <Kind extends string>(kind: Kind, seen: 'sound' | 'unsealed' | 'late' | 'broken') => ({
    kind,
    title: t(`audit.checked.${seen}`),
    text: t(`audit.checked.${seen}.hint`, { moment: '14 May 2026, 09:31 UTC' }),
    command: 'npx sallyport audit verify',
  })
  const events = {
    frame: consoleFrame({ t }, '/admin/audit'),
    checked: checked('success', 'sound'),
    action: '/sent',
    choice: [
      {
        label: t('audit.group.logins'),
        events: [
          { value: 'login', text: t('audit.event.login'), chosen: false },
          { value: 'password.wrong', text: t('audit.event.password.wrong'), chosen: true },
        ],
      },
    ],
    person: '',
    from: '2026-05-01',
    to: '',
    files: { csv: '/list.csv', jsonl: '/list.jsonl' },
    events: [
      {
        at: time,
        event: t('audit.event.second_factor.reset'),
        why: 'Phones replaced, ticket 4471',
        by: known(person('Priya Raman')),
        whom: known(person('Aisha Rahman')),
        address: '203.0.113.24',
      },
      {
        at: time - minute,
        event: t('audit.event.login'),
        why: t('audit.fact.client', { value: 'fleetdesk' }),
        by: known(person('Gwen Parry')),
        address: '2001:db8:85a3:8d3:1319:8a2e:370:7348',
        factors: `${t('audit.factor.pwd')}, ${t('audit.factor.otp')}`,
      },
      {
        at: time - 2 * minute,
        event: t('audit.event.user.created'),
        by: { name: t('audit.operator') },
        whom: known(person('Gwen Parry')),
      },
      { at: time - 3 * minute, event: t('audit.event.password.wrong') },
    ],
    pages: { next: '/list?before=1.1' },
  } as const
  const { files: _, ...unfiled } = events
  const nothing = { ...unfiled, events: [], pages: {} }
  return [
    { view: 'admin-audit', state: '', locals: events },
    {
      view: 'admin-audit',
      state: 'late',
      locals: { ...events, checked: checked('warning', 'late'), pages: { previous: '/list', next: '/list' } },
    },
    {
      view: 'admin-audit',
      state: 'none',
      locals: { ...nothing, checked: checked('info', 'unsealed') },
    },
    {
      view: 'admin-audit',
      state: 'nobody',
      locals: { ...nothing, person: 'okafro', nobody: true, checked: checked('danger', 'broken') },
    },
    {
      view: 'admin-audit',
      state: 'several',
      locals: {
        ...nothing,
        person: 'kim',
        several: {
          people: ['Kim Novak', 'Kim Parry'].map(name => ({ ...known(person(name)), href: '/list' })),
          more: true,
        },
      },
    },
  ]
}
