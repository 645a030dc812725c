/**
 * Law: a page works without this. Tells the browser which passkeys we know, where it listens (WebAuthn's Signal API);
 * what to say stands in the data-signals attribute of this script's own element. Nothing is sent to us.
 */
;(() => {
  const credentials = window.PublicKeyCredential
  const known = ['signalUnknownCredential', 'signalAllAcceptedCredentials', 'signalCurrentUserDetails']
  for (const [signal, options] of JSON.parse(document.currentScript.dataset.signals))
    if (known.includes(signal)) credentials?.[signal]?.(options).catch(() => {})
})()
