// Samples of the pages that links in mails open.

import { accountUrl, type Catalogue, email, type Sample } from './ground.ts'

export const mailedSamples = ({ t }: Catalogue): readonly Sample[] => [
  {
    view: 'forgot-password',
    state: '',
    locals: { action: '/sent', minutes: 60, email, backUrl: '/back' },
  },
  {
    view: 'forgot-password',
    state: 'error',
    locals: { action: '/sent', minutes: 60, error: t('email.error.missing') },
  },
  { view: 'mail-sent', state: '', locals: { email, backUrl: '/back' } },
  { view: 'new-password', state: '', locals: { action: '/sent', email, minimum: 8 } },
  {
    view: 'new-password',
    state: 'invitation-error',
    locals: {
      action: '/sent',
      email,
      minimum: 15,
      organisation: 'Northgate IT',
      error: t('newPassword.error.tooShort', { minimum: 15 }),
    },
  },
  { view: 'password-changed', state: '', locals: {} },
  { view: 'password-changed', state: 'first', locals: { first: true, accountUrl } },
  { view: 'link-used', state: '', locals: {} },
  { view: 'unblock', state: '', locals: { action: '/sent', email } },
  { view: 'unblocked', state: '', locals: { accountUrl } },
  { view: 'lock', state: '', locals: { action: '/sent', email } },
  { view: 'locked', state: '', locals: { newPasswordUrl: '/list' } },
  {
    view: 'email-link',
    state: '',
    locals: {
      heading: t('emailChange.heading'),
      lead: t('emailChange.lead', { email }),
      effects: [t('emailChange.effect'), t('emailChange.out'), t('emailChange.other')],
      button: { text: t('emailChange.do'), action: '/sent' },
    },
  },
  {
    view: 'email-link',
    state: 'stopped',
    locals: {
      heading: t('emailStopped.heading'),
      lead: t('emailStopped.lead', { email }),
      effects: [t('emailStopped.lock')],
      onward: { text: t('mail.lock.action'), url: '/list' },
    },
  },
]
