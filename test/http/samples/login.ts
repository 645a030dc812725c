// Samples of the pages of a login and of a step-up.

import { qrSvg } from '../../../src/factors/totp.ts'
import { type Catalogue, challenge, creationOptions, email, minute, type Sample, time } from './ground.ts'

const key = 'JBSW Y3DP EHPK 3PXP GEZD GNBV GY3T QOJQ'
const uri = `otpauth://totp/Sallyport:${email}?secret=${key.replaceAll(' ', '')}&issuer=Sallyport`
const steps = ['authenticator', 'recoveryCode', 'passkey'] as const
const requestOptions = JSON.stringify({
  challenge,
  rpId: 'localhost',
  userVerification: 'required',
  timeout: minute,
})
const upgradeOptions = JSON.stringify({
  ...JSON.parse(creationOptions),
  authenticatorSelection: { residentKey: 'required', userVerification: 'preferred' },
})
const passkey = { action: '/sent/passkey', options: requestOptions }

export const loginSamples = ({ t }: Catalogue): readonly Sample[] => {
  const qr = qrSvg(uri, t('setup.qr'))
  const email_ = { action: '/sent', app: 'Fleetdesk', passkey }
  const password = { action: '/sent', email, editUrl: '/edit', forgotUrl: '/forgot' }
  const setup = { action: '/sent', qr, key, uri, openKey: false, steps }
  const code = { action: '/sent', product: 'Sallyport', recoveryUrl: '/recovery' }
  const stepUp = { app: 'Fleetdesk', email, cancel: '/cancel' }
  const upstream = { action: '/sent', name: 'Heron ID' }
  const sso = { ...upstream, email, app: 'Fleetdesk' }
  const again = { ...sso, again: true, cancel: '/cancel' } as const
  const about = {
    title: 'delete 14 devices at Acme',
    noun: 'devices',
    objects: Array.from({ length: 14 }, (_, index) => `ACME-LT-${String(index + 1).padStart(3, '0')}`),
    fields: [{ name: 'site', value: 'Acme' }],
  }
  const single = { title: 'view a secret', objects: [`<b>Firewall</b> ${'x'.repeat(180)}`], fields: [] }
  const recoveryCode = { action: '/sent', code: 'K7QM-4TXD-9WHB-R3FN-6YPC-V8JA' }
  const mailed = { action: '/sent', email: 'd•••k@northgate.example', resend: '/resend' }
  const offer = { action: '/sent', options: creationOptions }
  return [
    { view: 'email', state: '', locals: email_ },
    { view: 'email', state: 'bare', locals: { action: '/sent' } },
    {
      view: 'email',
      state: 'error',
      locals: { ...email_, email: 'dana', error: t('email.error.malformed') },
    },
    {
      view: 'email',
      state: 'passkey-error',
      locals: { ...email_, passkey: { ...passkey, error: t('passkey.error.unknown') } },
    },
    { view: 'password', state: '', locals: password },
    { view: 'password', state: 'error', locals: { ...password, error: t('password.error.wrong') } },
    { view: 'password', state: 'sso', locals: { ...password, sso: upstream } },
    {
      view: 'password',
      state: 'linking',
      locals: { ...password, sso: upstream, linking: t('sso.linking', upstream) },
    },
    { view: 'sso', state: '', locals: { ...sso, passwordAction: '/password', otherUrl: '/other' } },
    { view: 'sso', state: 'only', locals: { ...sso, otherUrl: '/other' } },
    {
      view: 'sso',
      state: 'error',
      locals: {
        ...sso,
        passwordAction: '/password',
        otherUrl: '/other',
        anew: true,
        error: t('sso.error.link.no_account', upstream),
      },
    },
    { view: 'sso', state: 'step-up', locals: again },
    { view: 'sso', state: 'action', locals: { ...again, about } },
    {
      view: 'sso',
      state: 'instead',
      locals: { ...again, about: single, localUrl: '/local', error: t('sso.error.unreachable', upstream) },
    },
    { view: 'setup', state: '', locals: { ...setup, notNow: { until: time } } },
    { view: 'setup', state: 'endless', locals: { ...setup, notNow: {} } },
    { view: 'setup', state: 'phone', locals: { ...setup, openKey: true } },
    { view: 'setup', state: 'error', locals: { ...setup, error: t('setup.error.wrong') } },
    {
      view: 'setup',
      state: 'moves',
      locals: {
        action: '/sent',
        qr,
        key,
        uri,
        openKey: false,
        moves: true,
        notice: t('accountAuthenticator.again'),
      },
    },
    { view: 'recovery-code', state: '', locals: { ...recoveryCode, steps } },
    { view: 'recovery-code', state: 'asked', locals: { ...recoveryCode, asked: true } },
    {
      view: 'recovery-code',
      state: 'replaces-error',
      locals: { ...recoveryCode, replaces: true, error: t('recoveryCode.error.tick') },
    },
    { view: 'passkey-offer', state: '', locals: { ...offer, steps } },
    {
      view: 'passkey-offer',
      state: 'this-device',
      locals: { ...offer, onThisDevice: true },
    },
    {
      view: 'passkey-offer',
      state: 'upgrade',
      locals: { ...offer, upgrade: { action: '/sent/upgrade', options: upgradeOptions } },
    },
    { view: 'passkey-offer', state: 'error', locals: { ...offer, error: t('passkey.error.notSaved') } },
    { view: 'code', state: '', locals: { ...code, passkey, lockedOutUrl: '/locked-out' } },
    { view: 'code', state: 'bare', locals: code },
    { view: 'code', state: 'sso', locals: { ...code, sso: upstream } },
    { view: 'code', state: 'set-up-again', locals: { ...code, setUpAgain: '/again' } },
    { view: 'code', state: 'error', locals: { ...code, error: t('code.error.wait', { minutes: 4 }) } },
    { view: 'step-up', state: '', locals: { ...stepUp, about, codeAction: '/sent', passkey } },
    {
      view: 'step-up',
      state: 'error',
      locals: { ...stepUp, about: single, codeAction: '/sent', error: t('code.error.used') },
    },
    { view: 'step-up', state: 'confirm', locals: { ...stepUp, about: single, confirmAction: '/sent' } },
    { view: 'step-up', state: 'passkey', locals: { ...stepUp, about: single, passkey } },
    {
      view: 'step-up',
      state: 'sso',
      locals: { ...stepUp, about, codeAction: '/sent', passkey, sso: upstream },
    },
    {
      view: 'step-up',
      state: 'passkey-only',
      locals: { ...stepUp, passkey: { ...passkey, error: t('passkey.error.expired') }, cantUse: '/mailed' },
    },
    {
      view: 'step-up',
      state: 'no-action',
      locals: { ...stepUp, codeAction: '/sent', recoveryUrl: '/recovery', setUpAgain: '/again' },
    },
    { view: 'passkey-first', state: '', locals: { passkey, cantUse: '/mailed' } },
    { view: 'passkey-first', state: 'sso', locals: { passkey, sso: upstream } },
    {
      view: 'passkey-first',
      state: 'error',
      locals: { passkey: { ...passkey, error: t('passkey.error.expired') } },
    },
    { view: 'mailed-code', state: '', locals: mailed },
    {
      view: 'mailed-code',
      state: 'resend-error',
      locals: { ...mailed, resendError: t('mailedCode.error.wait', { minutes: 1 }) },
    },
    {
      view: 'mailed-code',
      state: 'notice-error',
      locals: { ...mailed, notice: t('mailedCode.notice.sent'), error: t('mailedCode.error.wrong') },
    },
    {
      view: 'recovery',
      state: '',
      locals: { action: '/sent', codeUrl: '/code', lockedOutUrl: '/locked-out' },
    },
    {
      view: 'recovery',
      state: 'error',
      locals: { action: '/sent', codeUrl: '/code', error: t('recovery.error.wrong') },
    },
    { view: 'set-up-again', state: '', locals: { action: '/sent' } },
    {
      view: 'outside',
      state: '',
      locals: { action: '/sent', address: '198.51.100.7', app: 'Fleetdesk', otherUrl: '/other' },
    },
    {
      view: 'outside',
      state: 'consent',
      locals: { action: '/sent', answer: 'deny', address: '2001:db8:42:7::a1', app: 'Fleetdesk' },
    },
    {
      view: 'passkey-needed',
      state: '',
      locals: { action: '/sent', app: 'Fleetdesk', passkeyUrl: '/account/passkeys/new' },
    },
    { view: 'passkey-needed', state: 'unnamed', locals: { action: '/sent' } },
    {
      view: 'consent',
      state: '',
      locals: {
        action: '/sent',
        app: 'Northbeam Reports',
        email,
        host: 'reports.northbeam.example',
        scopes: [
          { icon: 'user', text: t('consent.scope.profile') },
          { icon: 'mail', text: t('consent.scope.email') },
          { icon: 'building', text: t('consent.scope.other', { scope: 'tickets' }) },
          { icon: 'clock', text: t('consent.scope.offline_access') },
          { text: 'Start a report', hint: 'reports:write' },
        ],
      },
    },
    {
      view: 'consent',
      state: 'action',
      locals: {
        action: '/sent',
        app: 'Northbeam Reports',
        email,
        host: 'reports.northbeam.example',
        scopes: [{ icon: 'key', text: t('consent.scope.openid') }],
        about: single,
      },
    },
  ]
}
