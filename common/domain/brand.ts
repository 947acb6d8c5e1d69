/** Where a brand's cameras serve what, and what tells them from others. */
export interface Brand {
  name: string;
  /** Other spellings, lower case. */
  aliases?: readonly string[];
  /** Path of one JPEG; absent where the brand has none that is known. */
  snapshot?: string;
  /** Path of an MJPEG stream. */
  video?: string;
  /** Models that differ from the rest; the first whose pattern matches counts. */
  models?: readonly { match: RegExp; snapshot?: string; video?: string }[];
  /** In what the camera says of itself: its `Server` header or the realm of its sign-in. */
  signs?: readonly RegExp[];
}

export interface BrandPaths {
  snapshot?: string;
  video?: string;
}

const plain = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

export function findBrand(brands: readonly Brand[], name: string): Brand | undefined {
  const wanted = plain(name);
  return brands.find(
    (brand) => plain(brand.name) === wanted || brand.aliases?.some((alias) => plain(alias) === wanted),
  );
}

/** Paths of a camera of this brand and model; `undefined` for a brand that is not in the table. */
export function pathsOf(brands: readonly Brand[], name: string, model?: string): BrandPaths | undefined {
  const brand = findBrand(brands, name);
  if (!brand) return undefined;
  const special = model === undefined ? undefined : brand.models?.find(({ match }) => match.test(model));
  const { snapshot, video } = special ?? brand;
  return { ...(snapshot !== undefined && { snapshot }), ...(video !== undefined && { video }) };
}

/** The brand that a camera gives itself away as, by its headers first, then by the path that it answers. */
export function guessBrand(
  brands: readonly Brand[],
  hints: { server?: string | undefined; realm?: string | undefined; path?: string | undefined },
): { brand: Brand; by: 'server' | 'realm' | 'path' } | undefined {
  for (const by of ['server', 'realm'] as const) {
    const said = hints[by];
    const brand = said && brands.find(({ signs }) => signs?.some((sign) => sign.test(said)));
    if (brand) return { brand, by };
  }
  const bare = hints.path?.split('?')[0];
  const owners = brands.filter((brand) => knownPaths(brand).some((path) => path.split('?')[0] === bare));
  // A path that several brands share says nothing.
  return owners.length === 1 ? { brand: owners[0]!, by: 'path' } : undefined;
}

const knownPaths = ({ snapshot, video, models = [] }: Brand): string[] =>
  [snapshot, video, ...models.flatMap((model) => [model.snapshot, model.video])].filter((path) => path !== undefined);
