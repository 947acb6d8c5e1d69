import { airport } from './airport.ts';
import { bridge } from './bridge.ts';
import { highway } from './highway.ts';
import { intersection } from './intersection.ts';
import { mountain } from './mountain.ts';
import type { Concept } from './scene.ts';
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
};

export const CONCEPT_NAMES: readonly string[] = Object.keys(CONCEPTS);
