// Roughly where an address is, in words: the city and country that a file of the operator's has for it (MaxMind DB, such
// as GeoLite2 City or DB-IP City Lite). The file is read whole at the start; nobody outside is asked, and nothing is
// stored. It is a guess, for people to recognise a login by: nothing is decided by it. Leaves out where it is shown.

import { readFileSync } from 'node:fs'
import { BlockList, isIP } from 'node:net'
import { type CityResponse, Reader } from 'mmdb-lib'
import type { Config } from './config/config.ts'
import { ConfigError, Problem } from './config/problems.ts'
import { plainAddress } from './organisations/access-list.ts'
import { covers, type Texts } from './texts.ts'

export interface Places {
  /**
   * @param address undefined, null and what is no address are at no place
   * @param texts the language: of each name English stands in where the file has no other
   * @returns undefined for a private address, and for one that the file does not know
   */
  of(address: string | null | undefined, texts: Pick<Texts, 'locale' | 't'>): string | undefined
}

export interface PlacesFile extends Places {
  /** What the file calls itself: `GeoLite2-City`. */
  readonly type: string
  /** When it was made, milliseconds since 1970. */
  readonly builtAt: number
}

/** Where the operator gave no file. */
export const noPlaces: Places = { of: () => undefined }

/** Longer than any city's; a damaged file may hold anything. */
const LONGEST_NAME = 100

/** Addresses that are at as many places as there are networks. */
const nowhere = new BlockList()
nowhere.addSubnet('0.0.0.0', 8)
nowhere.addSubnet('10.0.0.0', 8)
nowhere.addSubnet('100.64.0.0', 10)
nowhere.addSubnet('127.0.0.0', 8)
nowhere.addSubnet('169.254.0.0', 16)
nowhere.addSubnet('172.16.0.0', 12)
nowhere.addSubnet('192.168.0.0', 16)
nowhere.addSubnet('::', 127, 'ipv6')
nowhere.addSubnet('fc00::', 7, 'ipv6')
nowhere.addSubnet('fe80::', 10, 'ipv6')

/**
 * Reads a file of places.
 *
 * @param path of an MMDB file with cities or countries
 * @throws Problem if it cannot be read, or is no such file
 */
export function openPlaces(path: string): PlacesFile {
  const reader = readerOf(path)
  const { databaseType, buildEpoch, ipVersion } = reader.metadata

  /** What the file says of an address; undefined where that is nothing, or damaged. */
  function lookUp(address: string): Partial<Record<'city' | 'country', unknown>> | undefined {
    const plain = plainAddress(address.replace(/%.*$/s, ''))
    const family = isIP(plain)
    if (family === 0 || nowhere.check(plain, family === 6 ? 'ipv6' : 'ipv4')) return undefined
    // In a tree of IPv4 the first bits of an IPv6 address would lead to somebody else's place.
    if (family === 6 && ipVersion === 4) return undefined
    try {
      return reader.get(plain) ?? undefined
    } catch {
      return undefined
    }
  }

  return {
    type: databaseType,
    builtAt: buildEpoch.getTime(),
    of(address, { locale, t }) {
      const found = lookUp(address ?? '')
      const city = nameIn(found?.city, locale)
      const country = nameIn(found?.country, locale)
      if (city === undefined || country === undefined || city === country) return city ?? country
      return t('place', { city, country })
    },
  }
}

/**
 * The places of a server.
 *
 * @throws ConfigError if there is a file, and it cannot be used
 */
export function configuredPlaces({ placesFile }: Config): Places {
  if (placesFile === undefined) return noPlaces
  try {
    return openPlaces(placesFile)
  } catch (error) {
    throw error instanceof Problem ? new ConfigError([`SALLYPORT_PLACES ${error.message}`]) : error
  }
}

function readerOf(path: string): Reader<CityResponse> {
  let file: Buffer
  try {
    file = readFileSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new Problem(`cannot be read from ${path}: ${code === 'ENOENT' ? 'there is no such file' : code}`)
  }
  try {
    const reader = new Reader<CityResponse>(file)
    const { binaryFormatMajorVersion, buildEpoch, databaseType, ipVersion, searchTreeSize } = reader.metadata
    // Sixteen zeros are between the tree and the data: found elsewhere, the file is not what its end says.
    const gap = file.subarray(searchTreeSize, searchTreeSize + 16)
    const whole = gap.length === 16 && gap.every(each => each === 0)
    const known = binaryFormatMajorVersion === 2 && (ipVersion === 4 || ipVersion === 6)
    const told = typeof databaseType === 'string' && Number.isFinite(buildEpoch.getTime())
    if (whole && known && told) return reader
  } catch {
    // Said below.
  }
  const packed = file[0] === 0x1f && file[1] === 0x8b
  throw new Problem(
    packed
      ? `cannot be used: ${path} is packed. Unpack it: the .mmdb file in it is the one`
      : `cannot be used: ${path} is not in the MaxMind DB format (.mmdb), or is damaged`,
  )
}

/** A city's or country's name as the file has it, in a language or in English. */
function nameIn(entry: unknown, locale: string): string | undefined {
  const { names } = Object(entry) as { names?: unknown }
  const all = Object(names) as Record<string, unknown>
  const related = Object.keys(all).find(each => covers(each, locale))
  return [locale, related, 'en']
    .map(each => (each === undefined ? undefined : all[each]))
    .filter(each => typeof each === 'string')
    .map(each => each.replace(/[\s\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu, ' ').trim())
    .find(each => each !== '' && each.length <= LONGEST_NAME)
}
