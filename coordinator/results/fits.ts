import type { z } from 'zod';
import type { $ZodCheck, $ZodChecks, $ZodType, $ZodTypes } from 'zod/v4/core';

/** `true` only for values that the schema accepts, and gives back as they are. */
export type Fits = (value: unknown) => boolean;

/**
 * A quick answer to whether a schema accepts a value from `JSON.parse` and would strip or change nothing: then the value itself
 * is the result, and the copy that zod makes of everything is saved. `false` says nothing; ask zod, which also tells why.
 */
export function fitsOf(schema: z.ZodType): Fits {
  return compile(schema);
}

const never: Fits = () => false;

function compile(schema: $ZodType): Fits {
  const { def } = (schema as $ZodTypes)._zod;
  if (def.type === 'optional') {
    const inner = compile(def.innerType);
    return (value) => value === undefined || inner(value);
  }
  if (def.type === 'nullable') {
    const inner = compile(def.innerType);
    return (value) => value === null || inner(value);
  }
  return allOf(kindOf(schema), def.checks);
}

function kindOf(schema: $ZodType): Fits {
  const { def } = (schema as $ZodTypes)._zod;
  if (def.type === 'object') return def.catchall ? never : objectOf(def.shape);
  if (def.type === 'array') return arrayOf(compile(def.element));
  if (def.type === 'record') return recordOf(compile(def.keyType), compile(def.valueType));
  if (def.type === 'enum') {
    const values = new Set<unknown>(Object.values(def.entries));
    return (value) => values.has(value);
  }
  if (def.type === 'union') {
    const options = def.options.map((option) => compile(option));
    return (value) => options.some((fits) => fits(value));
  }
  if (def.type === 'boolean') return def.coerce ? never : (value) => typeof value === 'boolean';
  if (def.type === 'number') return isPlain(def) ? Number.isFinite : asksZod(schema);
  if (def.type === 'string') return isPlain(def) ? (value) => typeof value === 'string' : asksZod(schema);
  return never;
}

/** Neither a format of its own nor a conversion. */
const isPlain = (def: { coerce?: boolean }): boolean => !def.coerce && !('format' in def);

/** What is trimmed or converted does not fit. */
const asksZod =
  (schema: $ZodType): Fits =>
  (value) => {
    const parsed = (schema as z.ZodType).safeParse(value);
    return parsed.success && parsed.data === value;
  };

function objectOf(shape: Readonly<Record<string, $ZodType>>): Fits {
  const fields = new Map(Object.entries(shape).map(([key, schema]) => [key, compile(schema)]));
  const required = Object.keys(shape).filter((key) => (shape[key] as $ZodTypes)._zod.def.type !== 'optional');
  return (value) => {
    if (!isObject(value)) return false;
    for (const key in value) if (fields.get(key)?.(value[key]) !== true) return false;
    for (const key of required) if (value[key] === undefined) return false;
    return true;
  };
}

const recordOf =
  (keys: Fits, values: Fits): Fits =>
  (value) => {
    if (!isObject(value)) return false;
    // Zod leaves this one out.
    for (const key in value) if (key === '__proto__' || !keys(key) || !values(value[key])) return false;
    return true;
  };

const arrayOf =
  (element: Fits): Fits =>
  (value) => {
    if (!Array.isArray(value)) return false;
    for (const item of value) if (!element(item)) return false;
    return true;
  };

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function allOf(fits: Fits, checks: readonly $ZodCheck<never>[] = []): Fits {
  return checks.reduce<Fits>((before, check) => {
    const passes = passesOf(check);
    return (value) => before(value) && passes(value);
  }, fits);
}

const lengthOf = (value: unknown): number => (value as { length: number }).length;

/** Of a value of the right kind. */
function passesOf(check: $ZodCheck<never>): Fits {
  const { def } = (check as unknown as $ZodChecks)._zod;
  if (def.check === 'max_length') return (value) => lengthOf(value) <= def.maximum;
  if (def.check === 'min_length') return (value) => lengthOf(value) >= def.minimum;
  if (def.check === 'length_equals') return (value) => lengthOf(value) === def.length;
  if (def.check === 'number_format') return def.format === 'safeint' ? Number.isSafeInteger : never;
  if (def.check === 'greater_than') {
    const least = Number(def.value);
    return def.inclusive ? (value) => (value as number) >= least : (value) => (value as number) > least;
  }
  if (def.check === 'less_than') {
    const most = Number(def.value);
    return def.inclusive ? (value) => (value as number) <= most : (value) => (value as number) < most;
  }
  return (def.check as string) === 'custom' ? asksCheck(check) : never;
}

/** What `refine` makes; a promise is no yes. */
const asksCheck =
  (check: $ZodCheck<never>): Fits =>
  (value) => {
    const payload = { value: value as never, issues: [] };
    const waits = check._zod.check(payload);
    return !(waits instanceof Promise) && payload.issues.length === 0;
  };
