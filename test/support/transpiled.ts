/** Plain JavaScript of product files in a folder, for child processes that must start in milliseconds. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import typescript from 'typescript'

/** @returns the folder, laid out as the repository is. Inside the repository, so that packages are found. */
export async function transpiled(folder: string, files: readonly string[]): Promise<string> {
  for (const file of files) {
    const source = await readFile(join(import.meta.dirname, '../..', file), 'utf8')
    const { outputText } = typescript.transpileModule(source, {
      compilerOptions: {
        target: typescript.ScriptTarget.ES2022,
        module: typescript.ModuleKind.ESNext,
        rewriteRelativeImportExtensions: true,
      },
    })
    const target = join(folder, file.replace(/\.ts$/, '.js'))
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, outputText)
  }
  return folder
}
