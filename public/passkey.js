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
    let pressed = false
    form.addEventListener('submit', () => {
      pressed = true
    })
    const ceremony = async useBrowserAutofill => {
      const optionsJSON = JSON.parse(options)
      const response =
        passkey === 'create'
          ? await webauthn.startRegistration({ optionsJSON })
          : await webauthn.startAuthentication({ optionsJSON, useBrowserAutofill })
      send(response)
    }
    const send = response => {
      form.elements.response.value = JSON.stringify(response)
      form.submit()
    }
    // Conditional create: the browser makes a passkey beside the password that it just filled in, or says nothing.
    // Whatever the user presses meanwhile comes first.
    const upgrade = async () => {
      const { upgrade: byItself, upgradeAction } = form.dataset
      const can = byItself && (await credentials.getClientCapabilities?.())
      if (!can?.conditionalCreate || pressed) return
      const optionsJSON = JSON.parse(byItself)
      const response = await webauthn.startRegistration({ optionsJSON, useAutoRegister: true })
      if (pressed) return
      form.action = upgradeAction
      send(response)
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
      pressed = true
      ceremony(false).catch(error => {
        status.textContent = sentences[error.name] ?? failed
        autofill()
      })
    })
    autofill()
    upgrade().catch(() => {})
  }
  for (const covered of document.querySelectorAll('[data-uncover]')) covered.hidden = false
})()
