// Evaluate expressions with npm jsonata. Input: JSON {documents, cases: [[expression, document], ...]} on stdin.
// Output: one JSON answer a line: {v}: value, {}: nothing, {f}: a function within, {n}: not finite, {e}: error code.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
const jsonata = createRequire(process.argv[2] + '/')('jsonata')
const { documents, cases } = JSON.parse(readFileSync(0, 'utf8'))

function odd (value) {
  if (typeof value === 'function') return 'f'
  if (typeof value === 'number' && !Number.isFinite(value)) return 'n'
  if (value === null || typeof value !== 'object') return ''
  if (value._jsonata_lambda || value._jsonata_function) return 'f'
  return Object.values(value).map(odd).find(Boolean) || ''
}

const lines = []
for (const [source, index] of cases) {
  let answer
  try {
    const value = await jsonata(source).evaluate(JSON.parse(JSON.stringify(documents[index])))
    const mark = odd(value)
    answer = mark ? { [mark]: 1 } : value === undefined ? {} : { v: value }
    JSON.stringify(answer)
  } catch (error) {
    answer = { e: error.code || 'crash' }
  }
  lines.push(JSON.stringify(answer))
}
process.stdout.write(lines.join('\n') + '\n')
