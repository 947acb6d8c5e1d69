import { airport } from './airport.ts';
import { beach } from './beach.ts';
import { bridge } from './bridge.ts';
import { construction } from './construction.ts';
import { forest } from './forest.ts';
import { garden } from './garden.ts';
import { harbour } from './harbour.ts';
import { highway } from './highway.ts';
import { intersection } from './intersection.ts';
import { mountain } from './mountain.ts';
import { park } from './park.ts';
import { parkingLot } from './parking-lot.ts';
import { playground } from './playground.ts';
import { railway } from './railway.ts';
import type { Concept } from './scene.ts';
import { snowSlope } from './snow-slope.ts';
import { square } from './square.ts';
import { street } from './street.ts';
import { water } from './water.ts';
import { yard } from './yard.ts';

/** What cameras look at, most frequent first. To add a concept, write its file and add it here. */
export const CONCEPTS: Readonly<Record<string, Concept>> = {
  highway,
  intersection,
  street,
  yard,
  mountain,
  water,
  airport,
  bridge,
  park,
  'parking lot': parkingLot,
  playground,
  construction,
  harbour,
  railway,
  beach,
  square,
  forest,
  garden,
  'snow slope': snowSlope,
};

export const CONCEPT_NAMES: readonly string[] = Object.keys(CONCEPTS);
