// What lmlab/parts/scripts.py makes: the measures with the scale of their numbers, and the terms.
export interface Measure {
  key: string;
  label: string;
  short: string;
  about: string;
  formula: string;
  unit: string;
  edges: number[];
  labels: string[];
  digits: number | null;
  column: string;
  times: number;
  per: string;
  pair: boolean;
  diverging: boolean;
  exp: boolean;
  gap: boolean;
}
export const KEY: { scale: number; measures: Measure[] };
export const TERMS: Record<string, string>;
