// What is there besides the browser's own.

/** What Gradio gives a component. */
interface Given {
  props: any;
  watch(name: string, act: () => void): void;
  trigger(event: string, told: object): void;
  server: any;
}

interface Window {
  Plotly: any;
  lmlab: {
    shown: Record<string, any>; // the data of each group's strip
    ready?: boolean; // whether the page is whole
    guesses?: Record<string, number[]>;
    scene?: { scene: any; own: boolean; shown: boolean };
    press?(id: string, full?: string): void;
    time?: { at: number; step: number; n: number };
    visitor?(): string;
    visitorId?: string;
  };
}

// A selector tells which elements it means.
interface ParentNode {
  querySelector(selector: string): any;
  querySelectorAll(selector: string): NodeListOf<any>;
}
interface Document { getElementById(id: string): any }
interface Element { closest(selector: string): any }
interface EventTarget { closest?(selector: string): any; matches?(selector: string): boolean }
interface Event { detail?: any; animationName?: string }
