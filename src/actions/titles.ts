// What people read of an action: a title with `{count}` and fields in it. What is filled in is plain text, and can be
// nothing that would make the page read otherwise than it is written. Pure.

import type { ActionRequest } from './binding.ts'

/** `{count}`, or the name of a field. */
const PLACEHOLDER = /\{([^{}]*)\}/g

/** The placeholders of a title, in order. */
export function placeholdersOf(title: string): string[] {
  return [...title.matchAll(PLACEHOLDER)].map(([, name = '']) => name)
}

/** Whether a title's braces are all placeholders. */
export function isBalanced(title: string): boolean {
  return !/[{}]/.test(title.replaceAll(PLACEHOLDER, ''))
}

/** Fills a title. Values are not looked at again: one may hold braces. */
export function fillTitle(
  title: string,
  { objects, fields }: Pick<ActionRequest, 'objects' | 'fields'>,
): string {
  return title.replaceAll(PLACEHOLDER, (_, name: string) =>
    name === 'count' ? String(objects.length) : (fields[name] ?? ''),
  )
}

/**
 * A title as it reads before anything is filled in: `delete [number] devices at [site]`.
 *
 * @param number what stands for `{count}`
 */
export function openTitle(title: string, number: string): string {
  return title.replaceAll(PLACEHOLDER, (_, name: string) => `[${name === 'count' ? number : name}]`)
}

/**
 * What is wrong with a text that people are shown; undefined: nothing. Control characters, line ends, invisible
 * characters and those that turn the direction of writing would show something else than is there.
 */
export function textFault(text: unknown, longest: number): string | undefined {
  if (typeof text !== 'string' || text.trim() === '') return 'must be a text'
  if (text.length > longest) return `must be at most ${longest} characters`
  if (!text.isWellFormed()) return 'holds half a character'
  return MISLEADING.test(text)
    ? 'holds a control or invisible character, or one that turns the writing'
    : undefined
}

const MISLEADING =
  /[\p{Cc}\p{Zl}\p{Zp}\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb]/u
