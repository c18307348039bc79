// The chat page. Who you are and which sessions you had is kept in this browser; what was said is kept by the server.

const $ = (id) => document.getElementById(id)
const { traceUrl, maxMessage } = document.body.dataset
const silence = 45_000 // ms without a byte, heartbeats included, after which the stream counts as lost

// ---- What this browser keeps

const stored = (key, fallback) => {
  try { return JSON.parse(localStorage.getItem(key)) ?? fallback } catch { return fallback }
}
const store = (key, value) => {
  try { localStorage.setItem(key, JSON.stringify(value)) } catch { /* private window: lasts as long as the page */ }
}
const newID = (prefix) => prefix + Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('')

let user = stored('aguante.user')
if (!user) store('aguante.user', user = newID('u-'))
let sessions = stored('aguante.sessions', []) // {id, title}, newest first
let session = null
let running = null // AbortController of the turn under way

// ---- Server-sent events over fetch

async function* events(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = '', event = 'message', data = [], id = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    alive()
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop()
    for (const line of lines) {
      const [, field, text] = /^([^:]*):? ?(.*)$/s.exec(line)
      if (field === 'event') event = text
      else if (field === 'data') data.push(text)
      else if (field === 'id') id = text
      else if (line === '' && data.length) {
        yield { event, id, data: JSON.parse(data.join('\n')) }
        event = 'message'
        data = []
      }
    }
  }
}

// ---- Sentences

function degradedSentence({ zone, dependency, reason }) {
  const missing = reason === 'not configured'
  if (zone === 'graph') return missing ? 'I have no long-term memory here.' : 'Memory is resting: I answer without it.'
  if (zone === 'async') return missing ? 'I do not keep this turn.' : 'Long-term memory is slow to listen: I hand this turn over later.'
  if (dependency === 'redis') return missing ? 'I keep no history here.' : 'My short-term memory is resting: I may miss what was said a moment ago.'
  if (zone === 'sync') return 'The usual engine is away: another one answers.'
  return `Something of mine is resting (${dependency}); I answer without it.`
}

function problemSentence(status, retryAfter, detail) {
  const wait = retryAfter > 0 ? ` Try again in ${retryAfter} s.` : ''
  switch (status) {
    case 408: return 'That took too long, so I stopped.' + wait
    case 413: return 'That message is too long for me.'
    case 429: return 'You are faster than I am allowed to be.' + wait
    case 503: return 'I am too busy right now.' + wait
    case 400: case 401: case 403: return detail || 'I may not answer that.'
    default: return 'Something went wrong on my side.' + wait
  }
}

// ---- One turn on the page

class TurnView {
  constructor(said) {
    this.li = $('turn-template').content.firstElementChild.cloneNode(true)
    this.said = said
    this.part('said').textContent = said
    $('turns').append(this.li)
    $('welcome').hidden = true
  }
  part(name) { return this.li.querySelector('.' + name) }
  set live(on) { this.li.classList.toggle('live', on) }
  clear() {
    this.part('text').textContent = ''
    this.part('degraded').replaceChildren()
    this.part('meta').replaceChildren()
  }
  delta(text) { keepAtBottom(() => this.part('text').append(text)) }
  degraded(what) {
    const sentence = degradedSentence(what), list = this.part('degraded')
    if ([...list.children].some((li) => li.textContent === sentence)) return
    keepAtBottom(() => list.append(element('li', sentence)))
  }
  done(reply) {
    keepAtBottom(() => {
      if (reply.reply !== undefined) this.part('text').textContent = reply.reply
      reply.degraded?.forEach((d) => this.degraded(d))
      this.recalled(reply.recalled ?? [])
      if (reply.engine) this.part('meta').append(element('span', 'Engine: ' + reply.engine))
      if (traceUrl && reply.turn_id) this.part('meta').append(traceLink(reply.turn_id))
    })
    $('announce').textContent = this.part('text').textContent
  }
  recalled(items) {
    const facts = [...new Set(items.map((i) => i.fact).filter(Boolean))]
    if (!facts.length) return
    const details = this.part('recalled')
    details.hidden = false
    details.firstElementChild.textContent = facts.length === 1 ? 'Remembered 1 thing' : `Remembered ${facts.length} things`
    details.lastElementChild.append(...facts.map((f) => element('li', f)))
  }
  failed(sentence) {
    keepAtBottom(() => {
      const again = element('button', 'Send again')
      again.type = 'button'
      again.className = 'again'
      again.onclick = () => deliver(this)
      const p = element('span', sentence)
      p.className = 'failed'
      this.part('meta').replaceChildren(p, again)
    })
    $('announce').textContent = sentence
  }
}

function element(name, text) {
  const e = document.createElement(name)
  e.textContent = text
  return e
}

function traceLink(turn) {
  const a = element('a', 'Why this answer?')
  a.href = traceUrl.replace(/\/$/, '') + '/turns/' + encodeURIComponent(turn)
  a.target = '_blank'
  a.rel = 'noopener'
  return a
}

function keepAtBottom(change) {
  const main = document.querySelector('main')
  const atBottom = main.scrollHeight - main.scrollTop - main.clientHeight < 80
  change()
  if (atBottom) main.scrollTop = main.scrollHeight
}

// ---- Sending

class Lost extends Error {} // the connection broke: try again

// deliver sends a turn until it is answered, refused or stopped. A lost connection is tried again after 1, 2, 4 … 30 s: then
// the stream goes on where it broke off or, where it was not kept, the turn is sent again unless it was answered meanwhile.
async function deliver(turn) {
  if (running) return
  const controller = running = new AbortController(), { signal } = controller
  const stream = { of: session, turn: '', last: '', wait: 1 } // the turn's id, and that of the last event
  busy(true)
  turn.live = true
  turn.clear()
  try {
    for (let answered = false, lost = false; !answered;) {
      try {
        if (stream.turn) answered = await resume(turn, stream, signal)
        else answered = lost && await alreadyAnswered(turn, stream.of, signal) || await send(turn, stream, signal)
      } catch (failure) {
        if (!(failure instanceof Lost) || signal.aborted) throw failure
        lost = true
        await pause(stream.wait, signal)
        stream.wait = Math.min(2 * stream.wait, 30)
      }
    }
  } catch (failure) {
    turn.failed(signal.aborted ? 'Stopped.' : failure.message)
  } finally {
    turn.live = false
    if (running === controller) { running = null; busy(false) }
  }
}

const send = (turn, stream, signal) => streamed(turn, stream, signal, '/chat', {
  method: 'POST',
  headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
  body: JSON.stringify({ message: turn.said, user, session_id: stream.of, stream: true }),
})

// resume goes on with a stream. It says no when that cannot be: then it has to begin anew, or even the turn has.
async function resume(turn, stream, signal) {
  const headers = stream.last ? { 'Last-Event-ID': stream.last } : {}
  const answered = await streamed(turn, stream, signal, `/chat/${stream.turn}/stream`, { headers })
  if (!answered) turn.clear()
  return answered
}

// streamed reads the events of an answer, and says whether they came to its end.
async function streamed(turn, stream, signal, address, request) {
  const quiet = new AbortController()
  let timer
  const alive = () => { clearTimeout(timer); timer = setTimeout(() => quiet.abort(), silence) }
  alive()
  try {
    const response = await fetch(address, { ...request, signal: AbortSignal.any([signal, quiet.signal]) })
    if (stream.turn && (response.status === 404 || response.status === 409)) {
      if (response.status === 404) stream.turn = ''
      stream.last = ''
      return false
    }
    if (stream.turn && response.status === 503) throw new Lost(await refusal(response))
    if (!response.ok) throw new Error(await refusal(response))
    stream.turn = response.headers.get('Aguante-Turn') ?? ''
    for await (const { event, id, data } of events(response.body, alive)) {
      stream.last = id
      if (event === 'delta') { turn.delta(data.text); stream.wait = 1 }
      else if (event === 'degraded') turn.degraded(data)
      else if (event === 'resume') throw new Lost('The answer goes on elsewhere.')
      else if (event === 'error') throw new Error(problemSentence(data.status, data.retry_after, data.detail))
      else if (event === 'done') { turn.done(data); return true }
    }
    throw new Lost('The answer broke off.')
  } catch (failure) {
    const network = failure instanceof TypeError || failure.name === 'AbortError' || failure.name === 'NetworkError'
    throw network ? new Lost('I cannot be reached.') : failure
  } finally {
    clearTimeout(timer)
  }
}

async function refusal(response) {
  const problem = await response.json().catch(() => ({}))
  return problemSentence(response.status, Number(response.headers.get('Retry-After')), problem.detail)
}

// alreadyAnswered asks whether the turn was answered although the connection broke, so that it is not sent twice.
async function alreadyAnswered(turn, of, signal) {
  const messages = await history(of, signal)
  const [question, answer] = messages.slice(-2)
  if (answer?.role !== 'assistant' || question?.content !== turn.said) return false
  turn.done({ reply: answer.content })
  return true
}

async function history(of, signal) {
  const response = await fetch('/sessions/' + encodeURIComponent(of), { signal }).catch(() => { throw new Lost('I cannot be reached.') })
  if (response.status === 404) return []
  if (!response.ok) throw new Lost(await refusal(response))
  return (await response.json()).messages ?? []
}

// pause waits, saying so; coming back online or "stop" ends it early.
function pause(seconds, signal) {
  notice(`The connection is lost. I try again in ${seconds} s.`)
  return new Promise((resolve, reject) => {
    const wake = new AbortController()
    const end = (settle) => () => { clearTimeout(timer); wake.abort(); notice(''); settle() }
    const timer = setTimeout(end(resolve), seconds * 1000)
    addEventListener('online', end(resolve), { signal: wake.signal })
    signal.addEventListener('abort', end(() => reject(new Lost('Stopped.'))), { signal: wake.signal })
  })
}

function notice(text) {
  $('notice').textContent = text
  $('notice').hidden = !text
}

function busy(on) {
  $('send').classList.toggle('busy', on)
  $('send').setAttribute('aria-label', on ? 'Stop' : 'Send')
  typed()
}

// ---- Sessions

async function openSession(id) {
  session = id ?? newID('s-')
  running = null
  busy(false)
  notice('')
  $('turns').replaceChildren()
  $('welcome').hidden = Boolean(id)
  listSessions()
  if (sidebar.matches(':popover-open')) sidebar.hidePopover()
  if (!id) return $('message').focus()
  try {
    const messages = await history(id)
    if (session === id) show(messages)
  } catch (failure) {
    if (session === id) notice('I cannot fetch this session now. ' + failure.message)
  }
}

function show(messages) {
  let turn
  for (const { role, content } of messages) {
    if (role === 'user') turn = new TurnView(content)
    else if (role === 'assistant' && turn) turn.part('text').textContent = content
  }
  if (!messages.length) notice('I no longer have what was said in this session.')
  const main = document.querySelector('main')
  main.scrollTop = main.scrollHeight
}

function listSessions() {
  $('no-sessions').hidden = sessions.length > 0
  $('sessions').replaceChildren(...sessions.map(({ id, title }) => {
    const button = element('button', title)
    button.type = 'button'
    button.title = title
    if (id === session) button.setAttribute('aria-current', 'true')
    button.onclick = () => { location.hash = id }
    const li = document.createElement('li')
    li.append(button)
    return li
  }))
}

function rememberSession(title) {
  if (sessions[0]?.id === session) return
  const known = sessions.find((s) => s.id === session)
  sessions = [known ?? { id: session, title: title.slice(0, 80) }, ...sessions.filter((s) => s !== known)].slice(0, 200)
  store('aguante.sessions', sessions)
  if (!known) nameInAddress(session)
  listSessions()
}

// ---- Forgetting

async function forget() {
  const response = await fetch('/users/' + encodeURIComponent(user), { method: 'DELETE' }).catch(() => null)
  if (!response?.ok) return notice('I could not forget you just now. Nothing was changed here; please try again.')
  sessions = []
  store('aguante.sessions', sessions)
  store('aguante.user', user = newID('u-'))
  startNew()
  notice('Forgotten. We have just met.')
}

// ---- Wiring

const sidebar = $('sidebar')
const nameInAddress = (id) => window.history.replaceState(null, '', '#' + id)
const fromAddress = () => /^#(s-[0-9a-f]{32})$/.exec(location.hash)?.[1]

function startNew() {
  window.history.pushState(null, '', location.pathname)
  openSession()
}

function typed() {
  const field = $('message')
  $('send').disabled = !running && !field.value.trim()
  if (!CSS.supports('field-sizing', 'content')) {
    field.style.height = 'auto'
    field.style.height = field.scrollHeight + 'px'
  }
}

function submit() {
  const field = $('message'), text = field.value.trim()
  if (running || !text) return
  if (new TextEncoder().encode(text).length > maxMessage) return notice('That message is too long for me.')
  notice('')
  field.value = ''
  rememberSession(text)
  const turn = new TurnView(text)
  turn.li.scrollIntoView({ block: 'end' })
  deliver(turn)
  typed()
}

$('composer').addEventListener('submit', (e) => {
  e.preventDefault()
  if (running) running.abort()
  else submit()
})
$('message').addEventListener('input', typed)
$('message').addEventListener('keydown', (e) => {
  if (e.key !== 'Enter' || e.shiftKey || e.isComposing) return
  e.preventDefault()
  submit()
})
$('openings').addEventListener('click', (e) => {
  if (e.target.tagName !== 'BUTTON') return
  $('message').value = e.target.textContent
  submit()
})
$('new').onclick = $('new-small').onclick = startNew
for (const brand of document.querySelectorAll('.brand')) brand.onclick = (e) => { e.preventDefault(); startNew() }
$('forget').onclick = () => $('confirm').showModal()
$('confirm').addEventListener('close', () => { if ($('confirm').returnValue === 'forget') forget() })
addEventListener('hashchange', () => { if (fromAddress() !== session) openSession(fromAddress()) })
addEventListener('popstate', () => { if (!location.hash) openSession() })

$('composer').hidden = false
openSession(fromAddress())
