// What every client here has: a task, a person at a browser, and a list of flows to complete.

import { createServer } from 'node:http'
import { once } from 'node:events'

export const task = JSON.parse(process.argv[2])

export function done(flow) {
  console.log(`done ${flow}`)
}

// A native client's redirect URI: `visit` has a URL opened in the browser, and gives the URL of the redirect back here.
export async function callback() {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const redirectUri = `http://127.0.0.1:${server.address().port}/callback`
  async function visit(url) {
    console.log(`open ${url}`)
    for (;;) {
      const [request, response] = await once(server, 'request')
      response.end('You may close this window.')
      if (request.url.startsWith('/callback?')) return new URL(request.url, redirectUri)
    }
  }
  function close() {
    server.close()
    server.closeAllConnections()
  }
  return { redirectUri, visit, close }
}

// Fails unless the promise is rejected with what `check` holds to be right.
export async function refused(promise, check) {
  const outcome = await promise.then(
    () => new Error('nothing was refused'),
    (error) => (check(error) ? undefined : error),
  )
  if (outcome) throw outcome
}

// Has the person allow a device; gives once they have.
export async function allowDevice(url) {
  console.log(`device ${url}`)
  await once(process.stdin, 'data')
  process.stdin.unref()
}

export const jsonRpc = new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' })
export const toolsList = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} })

export async function checkTools(response) {
  const answer = await response.json()
  if (answer.result.tools.length === 0) throw new Error('no tools')
}

// Fails unless both are the same.
export function equal(found, expected) {
  if (found !== expected) throw new Error(`${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`)
}
