import { highway } from './highway.ts';
import { mountain } from './mountain.ts';
import type { Concept } from './scene.ts';

/** What cameras look at, most frequent first. To add a concept, write its file and add it here. */
export const CONCEPTS: Readonly<Record<string, Concept>> = {
  highway,
  mountain,
};

export const CONCEPT_NAMES: readonly string[] = Object.keys(CONCEPTS);
