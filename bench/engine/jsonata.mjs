// The same expressions with npm jsonata: node jsonata.mjs NODE_MODULES. The first line of stdin is JSON
// {expressions, order}; then for each line `CASE SECONDS` it prints the operations and their CPU seconds.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const jsonata = createRequire(process.argv[2] + '/')('jsonata')
const cpu = () => { const used = process.cpuUsage(); return (used.user + used.system) / 1e6 }
const cases = {}

function prepare ({ expressions, order }) {
  for (const [name, source] of Object.entries(expressions)) {
    const parsed = jsonata(source)
    cases[`evaluate-${name}`] = () => parsed.evaluate(null, { input: order })
    cases[`parse-${name}`] = () => { jsonata(source) }
  }
}

async function measure (run, seconds) {
  for (let warm = 0; warm < 200; warm++) await run()
  const began = cpu()
  let done = 0
  let now = began
  while (now < began + seconds) {
    for (let turn = 0; turn < 50; turn++) await run()
    done += 50
    now = cpu()
  }
  return `${done} ${now - began}\n`
}

let isPrepared = false
for await (const line of createInterface({ input: process.stdin })) {
  if (!isPrepared) {
    prepare(JSON.parse(line))
    isPrepared = true
    continue
  }
  const [name, seconds] = line.split(' ')
  process.stdout.write(await measure(cases[name], Number(seconds)))
}
