import { useEffect, useState } from 'react';
import { getPicture } from './access.ts';

/** A picture behind the token. `version` changes when there is a newer one; the old one stays until the new one is there. */
export function Picture({
  path,
  version,
  alt,
  onAt,
}: {
  path: string;
  version: string;
  alt: string;
  onAt?: (at: number | null) => void;
}) {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    getPicture(path, abort.signal).then(
      (picture) => {
        setUrl(picture && URL.createObjectURL(picture.blob));
        onAt?.(picture?.at ?? null);
      },
      () => undefined,
    );
    return () => abort.abort();
  }, [path, version]);
  useEffect(() => () => void (url && URL.revokeObjectURL(url)), [url]);
  return url ? <img className="picture" src={url} alt={alt} /> : <span className="picture missing">no picture</span>;
}
