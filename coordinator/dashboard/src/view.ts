import { useEffect, useState } from 'react';

/** What the page shows: which cameras, and which camera or incident is open. All of it stands in the address, to be shared. */
export interface View {
  text: string;
  state: string;
  /** The cause: verdict of the newest attempt. */
  verdict: string;
  host: string;
  source: string;
  agent: string;
  tag: string;
  country: string;
  kind: string;
  lifecycle: string;
  incident: string;
  camera: string;
}

export type FilterKey = Exclude<keyof View, 'camera'>;

const EMPTY: View = {
  text: '',
  state: '',
  verdict: '',
  host: '',
  source: '',
  agent: '',
  tag: '',
  country: '',
  kind: '',
  lifecycle: '',
  incident: '',
  camera: '',
};
const KEYS = Object.keys(EMPTY) as (keyof View)[];
export const filterKeys = KEYS.filter((key) => key !== 'camera') as FilterKey[];
export const NO_FILTER: Partial<View> = Object.fromEntries(filterKeys.map((key) => [key, '']));

function readView(): View {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(KEYS.map((key) => [key, query.get(key)?.slice(0, 255) ?? ''])) as unknown as View;
}

/** Those conditions of a view that are set, as a query. */
export function queryOf(view: View, keys: readonly (keyof View)[]): URLSearchParams {
  return new URLSearchParams(keys.filter((key) => view[key] !== '').map((key) => [key, view[key]]));
}

export interface ViewControl {
  view: View;
  /** A step that the back button takes back; with `quietly`, as while somebody types, it is none. */
  change: (change: Partial<View>, quietly?: boolean) => void;
}

export function useView(): ViewControl {
  const [view, setView] = useState(readView);
  useEffect(() => {
    const back = () => setView(readView());
    window.addEventListener('popstate', back);
    return () => window.removeEventListener('popstate', back);
  }, []);
  const change = (part: Partial<View>, quietly = false): void => {
    const next = { ...readView(), ...part };
    const query = queryOf(next, KEYS).toString();
    const address = location.pathname + (query && `?${query}`);
    if (quietly) history.replaceState(null, '', address);
    else history.pushState(null, '', address);
    setView(next);
  };
  return { view, change };
}
