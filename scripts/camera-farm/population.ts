import type { FarmCamera } from './camera.ts';
import type { FaultName } from './faults.ts';
import { FAULTS, fits } from './faults.ts';
import type { FarmSettings } from './options.ts';
import type { Place } from './places.ts';
import { PLACES } from './places.ts';
import type { Random } from './random.ts';
import { between, pick, seeded, shuffled, wholeBetween } from './random.ts';

/** The cameras of a farm; the same for equal settings. Hosts are filled in order; the big host, if any, takes the last ones. */
export function populate(settings: FarmSettings): FarmCamera[] {
  const concepts = conceptsFor(settings);
  return concepts.map((concept, index) => {
    const random = seeded(`${settings.seed}/camera/${index}`);
    const home = pick(random, PLACES);
    const mjpeg = random() < settings.mjpegShare;
    const byUrl = random() < settings.nonIpShare;
    return {
      id: `cam${String(index + 1).padStart(4, '0')}`,
      index,
      name: `${titleOf(concept)} ${wholeBetween(random, 1, 99)}, ${home.city}`,
      host: addressAt(settings.addressBase, hostIndexOf(index, settings)),
      kind: mjpeg ? 'mjpeg' : 'snapshot',
      listedAs: byUrl && !mjpeg ? 'non_ip' : 'ip',
      conditional: !mjpeg && random() < settings.conditionalShare,
      concept,
      place: near(home, random),
    };
  });
}

/** The faults that cameras start with: shares are dealt out by seed, single assignments win. */
export function startingFaults(cameras: readonly FarmCamera[], settings: FarmSettings): Map<string, FaultName> {
  let left = shuffled(seeded(`${settings.seed}/faults`), cameras);
  const faults = new Map<string, FaultName>();
  const shares = Object.entries(settings.faultShares) as [FaultName, number][];
  // Those that only one kind of camera can have choose first, or nothing might be left for them.
  for (const [fault, share] of shares.toSorted(([a], [b]) => pickiness(b) - pickiness(a))) {
    const chosen = left.filter((camera) => fits(fault, camera.kind)).slice(0, Math.round(share * cameras.length));
    for (const camera of chosen) faults.set(camera.id, fault);
    left = left.filter((camera) => !faults.has(camera.id));
  }
  for (const [id, fault] of Object.entries(settings.faultOf)) faults.set(id, fault);
  return faults;
}

const pickiness = (fault: FaultName): number => (FAULTS[fault].only === undefined ? 0 : 1);

/** The address that serves control and truth; the cameras' hosts follow it. */
export function mainAddressOf(settings: FarmSettings): string {
  return addressAt(settings.addressBase, 0);
}

/** Long-tailed by quota, not by chance: also a small farm shows the skew and many concepts. */
function conceptsFor({ cameras, concepts, skew, seed }: FarmSettings): string[] {
  const weights = concepts.map((_, rank) => (rank + 1) ** -skew);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const chosen: string[] = [];
  let reached = 0;
  weights.forEach((weight, rank) => {
    reached += (weight / total) * cameras;
    while (chosen.length + 0.5 < reached && chosen.length < cameras) chosen.push(concepts[rank] as string);
  });
  while (chosen.length < cameras) chosen.push(concepts[0] as string);
  return shuffled(seeded(`${seed}/concepts`), chosen);
}

function hostIndexOf(index: number, { cameras, camerasPerHost, bigHost }: FarmSettings): number {
  const ordinary = cameras - bigHost;
  return index < ordinary ? 1 + Math.floor(index / camerasPerHost) : 1 + Math.ceil(ordinary / camerasPerHost);
}

/** The n-th usable address from `base` on; the last byte never is 0 or 255. */
function addressAt(base: string, n: number): string {
  const [, b, c] = base.split('.').map(Number) as [number, number, number, number];
  const block = b * 256 + c + Math.floor(n / 250);
  return `127.${block >> 8}.${block & 255}.${1 + (n % 250)}`;
}

/** Within some 10 km, rounded to about a metre. */
function near(home: Place, random: Random): Place {
  const jitter = (degrees: number) => Math.round((degrees + between(random, -0.09, 0.09)) * 1e5) / 1e5;
  return { ...home, latitude: jitter(home.latitude), longitude: jitter(home.longitude) };
}

function titleOf(concept: string): string {
  return concept.charAt(0).toUpperCase() + concept.slice(1);
}
