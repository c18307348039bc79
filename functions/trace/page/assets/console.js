// Keeps the newest turns on the page while someone looks at it.
const fresh = document.querySelector('.fresh')
const period = 5000

if (fresh && document.querySelector('[data-live]')) {
  const button = fresh.querySelector('button')
  const status = fresh.querySelector('span')
  const live = () => button.getAttribute('aria-pressed') === 'true'
  fresh.hidden = false
  button.addEventListener('click', () => {
    button.setAttribute('aria-pressed', String(!live()))
    status.textContent = ''
    refresh()
  })
  setInterval(refresh, period)

  async function refresh() {
    const list = document.querySelector('#list')
    if (!live() || document.hidden || list.contains(document.activeElement)) return
    try {
      const answer = await fetch(location.href, { headers: { Accept: 'text/html' }, signal: AbortSignal.timeout(period) })
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
      const newer = page.querySelector('#list')
      if (!newer) throw new Error('no list')
      if (newer.innerHTML !== list.innerHTML) list.replaceWith(document.adoptNode(newer))
      status.textContent = ''
    } catch {
      status.textContent = 'The console does not answer; this list may be old.'
    }
  }
}
