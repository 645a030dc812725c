/**
 * Law: Copy, Download and Print beside a code, a file whose text fills a field, and moments in the reader's own time zone, but for those of a log; a page works without.
 * Nothing leaves the browser. What it says to people stands in data- attributes.
 */
;(() => {
  const each = (selector, act) => {
    for (const element of document.querySelectorAll(selector)) act(element, element.dataset)
  }
  const box = element => element.closest('.code')

  // Without a clipboard (plain http on a network) the code is selected, and copied the old way.
  const copy = async (button, text) => {
    try {
      await navigator.clipboard.writeText(text)
    } catch {
      getSelection().selectAllChildren(box(button).querySelector('output'))
      if (!document.execCommand('copy')) return
    }
    const status = box(button).querySelector('[role=status]')
    status.textContent = button.dataset.done
    setTimeout(() => {
      status.textContent = ''
    }, 2000)
  }
  each('[data-copy]', (button, data) => button.addEventListener('click', () => copy(button, data.copy)))

  each('[data-download]', (button, { download, text }) =>
    button.addEventListener('click', () => {
      const href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
      Object.assign(document.createElement('a'), { href, download }).click()
      setTimeout(() => URL.revokeObjectURL(href), 1000)
    }),
  )
  each('[data-print]', button => button.addEventListener('click', () => print()))

  // Without a name it is not sent: the field is.
  each('[data-fills]', (chooser, { fills }) =>
    chooser.addEventListener('change', async () => {
      const [file] = chooser.files
      if (file) document.getElementById(fills).value = await file.text()
    }),
  )

  const { lang } = document.documentElement
  const locale = navigator.languages.find(own => own.split('-')[0] === lang.split('-')[0]) ?? lang
  const style = { weekday: 'long', day: 'numeric', month: 'long', hour: 'numeric', minute: '2-digit' }
  const short = { day: 'numeric', month: 'short', year: 'numeric', hour: 'numeric', minute: '2-digit' }
  each('time[datetime]:not([data-utc])', (time, data) => {
    const as = data.short === undefined ? { ...style, timeZoneName: 'short' } : short
    time.textContent = new Date(time.dateTime).toLocaleString(locale, as)
  })

  each('[data-uncover]', covered => {
    covered.hidden = false
  })
})()
