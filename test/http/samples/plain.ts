// Samples of the pages that stand alone.

import { accountUrl, type Catalogue, email, type Sample, time } from './ground.ts'

const backTo = { name: 'Fleetdesk', url: 'https://fleetdesk.example/' }

export const plainSamples = ({ t }: Catalogue): readonly Sample[] => {
  const error = {
    heading: t('error.interaction_expired.heading'),
    text: t('error.interaction_expired.text'),
    time,
  }
  const firstRun = { action: '/sent', minimum: 15 }
  return [
    {
      view: 'error',
      state: '',
      locals: { ...error, reference: 'SP-7F3K-92QD', startAgain: '/again', backTo },
    },
    { view: 'error', state: 'back', locals: { ...error, backTo } },
    { view: 'error', state: 'go-on', locals: { ...error, goOn: '/interaction' } },
    {
      view: 'error',
      state: 'busy',
      locals: {
        heading: t('error.busy.heading'),
        text: t('error.busy.text'),
        time,
        reference: 'SP-7F3K-92QD',
        startAgain: '/again',
        retryAfter: 5,
      },
    },
    { view: 'error', state: 'bare', locals: { ...error, retryAfter: 600 } },
    {
      view: 'logout',
      state: '',
      locals: {
        formHtml:
          '<form id="op.logoutForm" method="post" action="/sent/logout"><input type="hidden" name="xsrf" value="x"/></form>',
        app: 'Fleetdesk',
      },
    },
    { view: 'logged-out', state: '', locals: { app: 'Fleetdesk', accountUrl } },
    { view: 'logged-out', state: 'bare', locals: {} },
    { view: 'first-run', state: '', locals: firstRun },
    {
      view: 'first-run',
      state: 'error',
      locals: {
        ...firstRun,
        values: { organisation: 'Northgate IT', email: 'priya' },
        errors: {
          name: t('firstRun.error.name'),
          email: t('email.error.malformed'),
          password: t('newPassword.error.guessable'),
        },
      },
    },
    { view: 'first-run-done', state: '', locals: { organisation: 'Northgate IT', email, accountUrl } },
    {
      view: 'host-mismatch',
      state: '',
      locals: {
        asked: '203.0.113.24:3000',
        issuer: 'https://login.northgate.example',
        variable: 'SALLYPORT_ISSUER',
      },
    },
    { view: 'not-found', state: '', locals: {} },
  ]
}
