// Reads XML that comes from elsewhere: with limits, without a document type, and by namespaces. It is the parser that
// node-saml uses too, so that what is looked at here is what is verified there. Leaves out what any of it means.

import { DOMParser } from '@xmldom/xmldom'
import { SsoError, type SsoFault } from './upstream.ts'

export const PROTOCOL = 'urn:oasis:names:tc:SAML:2.0:protocol'
export const ASSERTION = 'urn:oasis:names:tc:SAML:2.0:assertion'
export const METADATA = 'urn:oasis:names:tc:SAML:2.0:metadata'
export const SIGNATURE = 'http://www.w3.org/2000/09/xmldsig#'
export const ENCRYPTION = 'http://www.w3.org/2001/04/xmlenc#'

/** Far above an answer with a thousand groups; what is verified is walked through several times. */
const MOST_TAGS = 10_000
const DEEPEST = 50
const DECLARATION = /^\uFEFF?\s*<\?xml\s[^<>?]*\?>/

/** How XML is read. */
export interface XmlRules {
  /** In characters. */
  readonly longest: number
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
export function parseXml(xml: string, { longest, plain, fault }: XmlRules): Element {
  const refuse = (detail: string): never => {
    throw new SsoError(fault, detail)
  }
  if (xml.length > longest) refuse(`The XML is longer than ${longest} characters.`)
  const text = xml.replace(DECLARATION, '')
  if (text.includes('\0')) refuse('The XML is not encoded as UTF-8.')
  if (/<!(?!--|\[CDATA\[)/.test(text)) refuse('The XML has a document type, which is not allowed.')
  if (plain && /<[!?]/.test(text)) refuse('The XML has comments, CDATA or instructions in it.')
  if ((text.match(/</g)?.length ?? 0) > 2 * MOST_TAGS) refuse('The XML has too many elements.')
  const root = parsed(text) ?? refuse('The XML is not well-formed.')
  if (depthOf(root) > DEEPEST) refuse('The XML is nested too deeply.')
  return root
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

function depthOf(root: Element): number {
  let deepest = 0
  const left: [Element, number][] = [[root, 1]]
  for (let next = left.pop(); next; next = left.pop()) {
    const [element, depth] = next
    deepest = Math.max(deepest, depth)
    for (const child of childElements(element)) left.push([child, depth + 1])
  }
  return deepest
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
