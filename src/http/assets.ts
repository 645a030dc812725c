/**
 * Law: a static file is read once at boot and served from memory under an address that holds its hash, so that
 * it may be cached for ever and a page never meets another version's file. Nothing is read by a request.
 * Left out: HTTP itself; whoever serves these sets the headers.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, gzipSync, constants as zlib } from 'node:zlib'

/** For every asset: its address changes with its content. Send `Vary: Accept-Encoding` beside it. */
export const assetCacheControl = 'public, max-age=31536000, immutable'

export interface Asset {
  readonly body: Buffer
  /** Content-Type. */
  readonly type: string
  /** Weak, since it is the same for every encoding. */
  readonly etag: string
  /** The body by Content-Encoding, compressed when it is first asked for. */
  encoded(encoding: 'br' | 'gzip'): Buffer
}

export interface Assets {
  /**
   * The address of a file: `url('sallyport.css')` is `/assets/sallyport.<hash>.css`.
   * @throws for a name that isn't there
   */
  url(name: string): string
  /** What is at an address; undefined for anything but exactly what `url` gave. */
  get(pathname: string): Asset | undefined
}

const types: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

/** The package's single-file build isn't among its exports, so it is found from the one that is. */
const passkeyLibrary = (): Buffer =>
  readFileSync(new URL('../dist/bundle/index.umd.min.js', import.meta.resolve('@simplewebauthn/browser')))

function compressed(body: Buffer): Asset['encoded'] {
  const held: { br?: Buffer; gzip?: Buffer } = {}
  return encoding => {
    held[encoding] ??=
      encoding === 'br'
        ? brotliCompressSync(body, { params: { [zlib.BROTLI_PARAM_QUALITY]: 11 } })
        : gzipSync(body, { level: 9 })
    return held[encoding]
  }
}

/**
 * Reads a folder of static files, and adds `webauthn.js`, the browser part of SimpleWebAuthn.
 * @param directory absolute path or file URL
 * @param base the path that the addresses start with
 * @throws for a file of an unknown type
 */
export const createAssets = (
  directory: string | URL = new URL('../../public/', import.meta.url),
  base = '/assets/',
): Assets => {
  const folder = typeof directory === 'string' ? directory : fileURLToPath(directory)
  const files = readdirSync(folder).map(name => [name, readFileSync(`${folder}/${name}`)] as const)
  const urls = new Map<string, string>()
  const assets = new Map<string, Asset>()
  for (const [name, body] of [...files, ['webauthn.js', passkeyLibrary()] as const]) {
    const [, stem, extension = ''] = /^([\w-]+)\.(\w+)$/.exec(name) ?? []
    const type = types[extension]
    if (!stem || !type) throw new Error(`No content type is known for the static file "${name}"`)
    const hash = createHash('sha256').update(body).digest('base64url').slice(0, 12)
    const url = `${base}${stem}.${hash}.${extension}`
    urls.set(name, url)
    assets.set(url, { body, type, etag: `W/"${hash}"`, encoded: compressed(body) })
  }
  return {
    url(name) {
      const url = urls.get(name)
      if (!url) throw new Error(`There is no static file "${name}"`)
      return url
    },
    get: pathname => assets.get(pathname),
  }
}
