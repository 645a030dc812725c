// Reads XML that comes from elsewhere: with limits, without a document type, and by namespaces. It is the parser that
// node-saml uses too, so that what is looked at here is what is verified there. Leaves out what any of it means.

import { DOMParser } from '@xmldom/xmldom'
import { SsoError, type SsoFault } from './upstream.ts'

export const PROTOCOL = 'urn:oasis:names:tc:SAML:2.0:protocol'
export const ASSERTION = 'urn:oasis:names:tc:SAML:2.0:assertion'
export const METADATA = 'urn:oasis:names:tc:SAML:2.0:metadata'
export const SIGNATURE = 'http://www.w3.org/2000/09/xmldsig#'
export const ENCRYPTION = 'http://www.w3.org/2001/04/xmlenc#'

// The parser takes time with the square of the depth, and the verification with the square of the number of elements.
const MOST_ATTRIBUTES = 30
const MOST_ATTRIBUTES_PER_ELEMENT_ON_AVERAGE = 4
const DEEPEST = 20
const DECLARATION = /^\uFEFF?\s*<\?xml\s[^<>?]*\?>/

/** How XML is read. */
export interface XmlRules {
  /** In characters. */
  readonly longest: number
  readonly mostElements: number
  /** Nothing but elements and text: comments, CDATA and processing instructions are refused too. */
  readonly plain: boolean
  /** Whose fault it is when it can't be read. */
  readonly fault: SsoFault
}

/**
 * Parses a document. Document types and entities, the stuff of XXE and of billion laughs, are refused before the parser
 * sees them: no SAML message or metadata needs them.
 *
 * @returns the root element
 * @throws {SsoError} of the given fault: too long, too deep, not well-formed, more than one root, or not allowed
 */
export function parseXml(xml: string, { longest, mostElements, plain, fault }: XmlRules): Element {
  const refuse = (detail: string): never => {
    throw new SsoError(fault, detail)
  }
  if (xml.length > longest) refuse(`The XML is longer than ${longest} characters.`)
  const text = xml.replace(DECLARATION, '')
  if (text.includes('\0')) refuse('The XML is not encoded as UTF-8.')
  if (/<!(?!--|\[CDATA\[)/.test(text)) refuse('The XML has a document type, which is not allowed.')
  if (plain && /<[!?]/.test(text)) refuse('The XML has comments, CDATA or instructions in it.')
  if (!isModest(text, mostElements))
    refuse('The XML has too many elements or attributes, or is nested too deeply.')
  return parsed(text) ?? refuse('The XML is not well-formed.')
}

const START_TAG = /<[^\s<>"'=/!?]+(?:[^<>"']|"[^<"]*"|'[^<']*')*>/y
const ASIDES = [
  ['<!--', '-->'],
  ['<![CDATA[', ']]>'],
  ['<?', '?>'],
] as const

/** Whether a document keeps the limits. One that is not well-formed may pass: it is refused anyway. */
function isModest(text: string, mostElements: number): boolean {
  let [elements, attributes, depth] = [0, 0, 0]
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at + 1)) {
    const aside = ASIDES.find(([begin]) => text.startsWith(begin, at))
    if (aside) {
      at = text.indexOf(aside[1], at + aside[0].length)
      if (at < 0) break
    } else if (text[at + 1] === '/') depth--
    else {
      START_TAG.lastIndex = at
      const tag = START_TAG.exec(text)?.[0]
      if (tag === undefined) break
      const its = tag.match(/"[^"]*"|'[^']*'/g)?.length ?? 0
      attributes += its
      elements++
      if (!tag.endsWith('/>')) depth++
      if (its > MOST_ATTRIBUTES || elements > mostElements || depth > DEEPEST) return false
    }
  }
  return attributes <= mostElements * MOST_ATTRIBUTES_PER_ELEMENT_ON_AVERAGE
}

function parsed(text: string): Element | undefined {
  const stop = (message: string): never => {
    throw new Error(message)
  }
  try {
    const parser = new DOMParser({ errorHandler: { warning: stop, error: stop, fatalError: stop } })
    const nodes = Array.from(parser.parseFromString(text, 'text/xml').childNodes)
    const roots = nodes.filter(isElement)
    const around = nodes.filter(each => !isElement(each) && !isComment(each))
    return around.some(each => each.textContent?.trim() !== '') || roots.length !== 1 ? undefined : roots[0]
  } catch {
    return undefined
  }
}

const isElement = (node: Node): node is Element => node.nodeType === 1
const isComment = (node: Node): boolean => node.nodeType === 8 || node.nodeType === 7

/** Whether an element has this name in this namespace. */
export function isNamed(element: Element, namespace: string, name: string): boolean {
  return element.localName === name && element.namespaceURI === namespace
}

function childElements(parent: Element): Element[] {
  return Array.from(parent.childNodes).filter(isElement)
}

/** The children of this name; of any name, if none is given. */
export function childrenOf(parent: Element, namespace?: string, name?: string): Element[] {
  return childElements(parent).filter(
    each => namespace === undefined || name === undefined || isNamed(each, namespace, name),
  )
}

/** The child of this name, if there is exactly one. */
export function onlyChild(parent: Element | undefined, namespace: string, name: string): Element | undefined {
  const found = parent ? childrenOf(parent, namespace, name) : []
  return found.length === 1 ? found[0] : undefined
}

/** An element and all below it, in the order of the document. */
export function withDescendants(root: Element): Element[] {
  return [root, ...Array.from(root.getElementsByTagName('*'))]
}

/** The whole text of an element that has no elements in it, without white space around it; undefined: there is none. */
export function textOf(element: Element | undefined): string | undefined {
  if (!element || childElements(element).length > 0) return undefined
  return element.textContent?.trim() || undefined
}

/** The value of an attribute; undefined: it is not there. An empty one is there. */
export function attributeOf(element: Element | undefined, name: string): string | undefined {
  return element?.hasAttribute(name) ? (element.getAttribute(name) ?? undefined) : undefined
}

/** Writes text so that it can stand in an element or, between double quotes, in an attribute. */
export function escapeXml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text.replace(/[&<>"]/g, character => entities[character] ?? '')
}
