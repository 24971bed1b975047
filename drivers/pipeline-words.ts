/**
 * Splits a pipeline as a shell would, so that what was tried with gst-launch-1.0 on a command line can be pasted into the
 * config. Nothing is expanded: `$`, `*` and `;` are characters like others, and no shell runs.
 *
 * @throws SyntaxError for a quote that is not closed
 */
export function pipelineWords(text: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote: string | undefined
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!
    if (quote === undefined && /\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (character === quote) {
      quote = undefined
    } else if (quote === undefined && (character === '"' || character === "'")) {
      quote = character
      word ??= ''
    } else if (character === '\\' && quote !== "'" && i + 1 < text.length) {
      // A line that goes on in the next one.
      if (text[i + 1] !== '\n') word = (word ?? '') + text[i + 1]
      i++
    } else word = (word ?? '') + character
  }
  if (quote !== undefined) throw new SyntaxError(`a ${quote} is not closed`)
  if (word !== undefined) words.push(word)
  return words
}
