const USER_INFO = /([a-z][a-z0-9+.-]*:\/\/)([^\s/@"'<>]+)@/gi;
const SECRET_QUERY =
  /([?&;](?:access_?key|api_?key|auth|code|key|pass(?:word|wd)?|pwd|secret|sig(?:nature)?|token|user(?:name)?|usr)=)[^&#\s"'<>;]*/gi;
const BEARER = /\b(bearer|basic|digest)\s+[A-Za-z0-9+/=._~-]{8,}/gi;

/** Removes credentials from any text that may hold URLs or headers. Idempotent. */
export function redact(text: string): string {
  return text.replace(USER_INFO, '$1***@').replace(SECRET_QUERY, '$1***').replace(BEARER, '$1 ***');
}
