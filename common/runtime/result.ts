/** What every acknowledgement on the socket is: one object, decided by `ok`. */
export type Result<T> = { ok: true; value: T } | { ok: false; error: { code: string; message: string } };

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });

export const fail = (code: string, message: string): { ok: false; error: { code: string; message: string } } => ({
  ok: false,
  error: { code, message },
});
