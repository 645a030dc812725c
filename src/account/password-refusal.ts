// Why a password was refused, in words: the same wherever one is chosen.

import type { PasswordRefusal } from '../factors/password-strength.ts'
import type { Texts } from '../texts.ts'

export function passwordRefusal({ t }: Texts, refusal: PasswordRefusal): string {
  switch (refusal.reason) {
    case 'too_short':
      return t('newPassword.error.tooShort', { minimum: refusal.minLength })
    case 'too_long':
      return t('newPassword.error.tooLong', { maximum: refusal.maxLength })
    case 'common':
      return t('newPassword.error.breached')
    case 'contains_name':
      return t('newPassword.error.contains')
    case 'control_characters':
    case 'too_weak':
      return t('newPassword.error.guessable')
  }
}
