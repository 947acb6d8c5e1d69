const KEY = 'camfleet.token';

/** The token of the printed link (`#token=…`), kept for this browser and taken out of the address bar; or the kept one. */
export function readToken(): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given) {
    localStorage.setItem(KEY, given);
    history.replaceState(null, '', location.pathname + location.search);
  }
  return localStorage.getItem(KEY);
}

export function keepToken(token: string): void {
  localStorage.setItem(KEY, token);
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, signal);
  return (await response.json()) as T;
}

/** Pictures need the token too, so they are fetched and shown as object URLs. `null` where there is none. */
export async function getPicture(
  path: string,
  signal?: AbortSignal,
): Promise<{ blob: Blob; at: number | null } | null> {
  try {
    const response = await request(path, signal);
    const at = Date.parse(response.headers.get('x-camfleet-fetched-at') ?? '');
    return { blob: await response.blob(), at: Number.isNaN(at) ? null : at };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function request(path: string, signal?: AbortSignal): Promise<Response> {
  const response = await fetch(path, {
    headers: { authorization: `Bearer ${readToken() ?? ''}` },
    ...(signal && { signal }),
  });
  if (response.ok) return response;
  const body = (await response.json().catch(() => ({}))) as { message?: string };
  throw new ApiError(response.status, body.message ?? `The coordinator answered ${response.status}.`);
}
