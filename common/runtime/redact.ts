/**
 * What is inside a text may have been through JSON (quotes and slashes with backslashes in front), and URLs inside URLs through
 * percent encoding, once or several times (`%2F`, `%252F`). Rather too much is hidden than too little. Repetitions are bounded
 * where they could make the search quadratic: cameras choose some of these texts.
 */
const HIDDEN = '***';

/** In front of a host. Reaches to the last `@` of the authority, because passwords hold `@`, quotes and backslashes. */
const USER_INFO = /((?:\\{0,8}\/){2})(?:\\[^/]|[^\s/?#"<>\\])*@/g;
/** A password with a slash in it: what stands behind the first colon is no port. */
const USER_INFO_WITH_SLASH =
  /((?:\\{0,8}\/){2})(?!\[)[^\s:/?#@"<>\\]*:(?!\d{1,5}(?:[/?#\\"'\s]|$))(?:\\.|[^\s"<>\\]){0,300}@/g;
/** The same inside another URL. The levels of encoding are those of its slashes. */
const ENCODED_USER_INFO = /(%((?:25){0,6})2f%\2(?:2f))(?:(?!%\2(?:2f|3f|23))[^\s/?#&"<>])*(?:%\2(?:40)|@)/gi;

/** Parts of names. Sessions of agents stand in fields of logs and are no secrets, in URLs they are. */
const SECRET = 'pass|pwd|psw|secret|token|signature|credential|api[_-]?key|access[_-]?key|hdn(?:ts|ea)|jwt';
const SECRET_PART = `(?:${SECRET}|auth|session)`;
const SECRET_KEY_PART = `(?:${SECRET}|authorization|cookie)`;
const SECRET_NAME = `(?:[\\w.-]{0,40}?${SECRET_PART}[\\w.-]{0,40}|user|user[_-]?(?:name|id)|usr|uid|u|p|login(?:[_-]?\\w{1,20})?|key|code|sig|sid|hash|md5|pin)`;

/** In a query or fragment, and in the paths of cameras that take `/user=admin_password=x_channel=1`. */
const SECRET_VALUE = new RegExp(`((?:[?&;#/_]|\\\\u0026|^|\\s)${SECRET_NAME}=)(?:\\\\.|[^\\s&#"<>\\\\])*`, 'gi');
const ENCODED_SECRET_VALUE = new RegExp(
  `(%((?:25){0,6})(?:3f|26|3b|23)${SECRET_NAME}(?:%\\2(?:3d)|=))(?:(?!%\\2(?:26|23))[^\\s&#"<>])*`,
  'gi',
);

/** A field of JSON, whatever the depth to which its quotes are escaped; numbers (fencing tokens) are no secrets. */
const SECRET_FIELD = new RegExp(
  `((\\\\{0,16})"[\\w.-]{0,40}${SECRET_KEY_PART}[\\w.-]{0,40}\\2"\\s*:\\s*\\2")(?:(?!\\2")(?:\\\\.|[^\\\\]))*`,
  'gi',
);

/** Whole headers, to the end of their line, and what such headers hold wherever it stands. */
const HEADER = /\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)(\s*:\s*)(?:(?!\\[nr])[^\r\n"])+/gi;
const DIGEST = /\b(digest)(?:\s{0,4},?\s{0,4}[\w-]{1,40}\s{0,4}=\s{0,4}(?:\\{0,16}"[^"]*"|[^\s,"\\]+))+/gi;
const BEARER = /\b([Bb]earer|[Bb]asic|[Dd]igest|BEARER|BASIC|DIGEST)\s+(?=[a-z]*[A-Z0-9+/=])[A-Za-z0-9+/=._~-]{4,}/g;

/** Removes credentials from any text that may hold URLs, headers or JSON. Idempotent; JSON stays JSON. */
export function redact(text: string): string {
  return (
    text
      .replace(DIGEST, `$1 ${HIDDEN}`)
      .replace(HEADER, `$1$2${HIDDEN}`)
      .replace(BEARER, `$1 ${HIDDEN}`)
      .replace(SECRET_FIELD, `$1${HIDDEN}`)
      // Before the values, which may reach over the end of their URL into the next one.
      .replace(USER_INFO, `$1${HIDDEN}@`)
      .replace(SECRET_VALUE, `$1${HIDDEN}`)
      .replace(ENCODED_SECRET_VALUE, `$1${HIDDEN}`)
      .replace(USER_INFO_WITH_SLASH, `$1${HIDDEN}@`)
      .replace(ENCODED_USER_INFO, `$1${HIDDEN}@`)
  );
}

const SECRET_KEY = new RegExp(SECRET_KEY_PART, 'i');

/** The same for every text in a value of plain objects and arrays, by its field's name, too; the rest is as it was. */
export function redactAll<T>(value: T): T {
  if (typeof value === 'string') return redact(value) as T;
  if (Array.isArray(value)) return value.map(redactAll) as T;
  if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const hidden = ([key, one]: [string, unknown]): [string, unknown] =>
    typeof one === 'string' && SECRET_KEY.test(key) ? [key, HIDDEN] : [key, redactAll(one)];
  return Object.fromEntries(Object.entries(value).map(hidden)) as T;
}
