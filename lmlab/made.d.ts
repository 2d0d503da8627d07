// What lmlab/parts/scripts.py makes: the measures with the scale of their numbers, and the terms.
export interface Measure { key: string; label: string; formula: string; unit: string; edges: number[]; labels: string[] }
export const KEY: { scale: number; measures: Measure[] };
export const TERMS: Record<string, string>;
