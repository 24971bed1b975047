import t from 'tap'
import { pipelineWords } from '../../drivers/pipeline-words.ts'

t.test('a pipeline is split as a shell splits it', async (t) => {
  const cases: readonly [string, readonly string[]][] = [
    ['', []],
    ['  videotestsrc   ! fakesink ', ['videotestsrc', '!', 'fakesink']],
    [
      "a ! 'video/x-raw(memory:NVMM), width=4' ! b",
      ['a', '!', 'video/x-raw(memory:NVMM), width=4', '!', 'b'],
    ],
    ['filesrc location="my file" ! b', ['filesrc', 'location=my file', '!', 'b']],
    [`a x="it's" y='"'`, ['a', `x=it's`, 'y="']],
    ['a x=one\\ word', ['a', 'x=one word']],
    ['a \\\n  ! b', ['a', '!', 'b']],
    ["a x='\\n'", ['a', 'x=\\n']],
    ["a x=''", ['a', 'x=']],
    ["''", ['']],
    ['a $HOME;*', ['a', '$HOME;*']],
  ]
  for (const [text, words] of cases) t.same(pipelineWords(text), words, text)
})

t.test('a quote that is not closed is an error', async (t) => {
  t.throws(() => pipelineWords('a location="x ! b'), { name: 'SyntaxError', message: 'a " is not closed' })
  t.throws(() => pipelineWords("a 'b"), /' is not closed/)
})
