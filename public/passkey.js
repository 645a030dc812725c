/**
 * Law: a page works without this; it only uncovers what a browser without script can't do. A ceremony's answer
 * goes into the form's own field `response` and is sent as any form is; nothing else is fetched or kept. What it
 * says to people stands in the form's data- attributes.
 */
;(() => {
  const { SimpleWebAuthnBrowser: webauthn, PublicKeyCredential: credentials } = window

  const answer = async () =>
    (await credentials?.isUserVerifyingPlatformAuthenticatorAvailable?.()) ? 'platform' : 'none'
  for (const field of document.querySelectorAll('input[name=webauthn]'))
    answer()
      .catch(() => 'none')
      .then(found => {
        field.value = found
      })

  if (!webauthn?.browserSupportsWebAuthn()) {
    for (const form of document.querySelectorAll('form[data-passkey]'))
      form.querySelector('[role=status]').textContent = form.dataset.failed
    return
  }

  for (const form of document.querySelectorAll('form[data-passkey]')) {
    const { passkey, options, cancelled, exists, failed } = form.dataset
    const status = form.querySelector('[role=status]')
    const ceremony = async useBrowserAutofill => {
      const optionsJSON = JSON.parse(options)
      const response =
        passkey === 'create'
          ? await webauthn.startRegistration({ optionsJSON })
          : await webauthn.startAuthentication({ optionsJSON, useBrowserAutofill })
      form.elements.response.value = JSON.stringify(response)
      form.submit()
    }
    const autofill = () => {
      if ('autofill' in form.dataset)
        webauthn
          .browserSupportsWebAuthnAutofill()
          .then(can => can && ceremony(true))
          .catch(() => {})
    }
    const sentences = { NotAllowedError: cancelled, InvalidStateError: exists, AbortError: '' }
    form.querySelector('[data-ceremony]').addEventListener('click', () => {
      status.textContent = ''
      ceremony(false).catch(error => {
        status.textContent = sentences[error.name] ?? failed
        autofill()
      })
    })
    autofill()
  }
  for (const covered of document.querySelectorAll('[data-uncover]')) covered.hidden = false
})()
