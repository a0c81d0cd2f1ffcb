// Firefox: a person signs in, allows each of several requests, and the browser goes where the client is.

import puppeteer from 'puppeteer-core'

import { done, task } from './person.mjs'

// Firefox talks to nobody but us.
const extraPrefsFirefox = {
  'app.normandy.enabled': false,
  'messaging-system.rsexperimentloader.enabled': false,
  'network.captive-portal-service.enabled': false,
  'services.settings.server': 'data:,',
}
const browser = await puppeteer.launch({
  browser: 'firefox',
  executablePath: task.firefox,
  headless: true,
  extraPrefsFirefox,
})

// Resolves once the browser asks for the redirect URI. Of an app's scheme it only shows that it was sent there.
function reached(page, uri) {
  return new Promise((resolve, reject) => {
    setTimeout(reject, 60_000, new Error(`${uri} was not reached`)).unref()
    page.on('request', (request) => request.url().startsWith(`${uri}?`) && resolve())
    if (/^https?:/.test(uri)) return
    page.on('response', (response) => response.headers().location?.startsWith(`${uri}?`) && resolve())
  })
}

try {
  for (const { url, redirect_uri: uri } of JSON.parse(task.requests)) {
    const context = await browser.createBrowserContext()
    const page = await context.newPage()
    const answered = reached(page, uri)
    await page.goto(url)
    await page.type('#email', task.email)
    await page.type('#password', task.password)
    await Promise.all([page.waitForNavigation(), page.click('button[type=submit]')])
    await (await page.waitForSelector('::-p-aria([name="Allow"][role="button"])')).click()
    await answered
    done(uri)
    await context.close()
  }
} finally {
  await browser.close()
}
