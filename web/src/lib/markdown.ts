import { defaultSchema } from 'rehype-sanitize';
import type { PluggableList } from 'unified';

/** What formulas become: MathML, which browsers draw without styles or fonts. */
const mathTags = [
  'math', 'semantics', 'mrow', 'mi', 'mn', 'mo', 'ms', 'mtext', 'mspace', 'mfrac', 'msqrt', 'mroot', 'mstyle', 'merror',
  'mpadded', 'mphantom', 'msub', 'msup', 'msubsup', 'munder', 'mover', 'munderover', 'mmultiscripts', 'mtable', 'mtr', 'mtd',
];

const mathAttributes = [
  'display', 'mathvariant', 'stretchy', 'fence', 'separator', 'accent', 'accentUnder', 'lspace', 'rspace', 'width', 'height',
  'depth', 'minsize', 'maxsize', 'linethickness', 'scriptlevel', 'displaystyle', 'columnalign', 'rowspacing', 'columnspacing',
  'movablelimits', 'largeop', 'symmetric', 'voffset',
];

/** The only elements and attributes that a model's text may become. */
export const schema: typeof defaultSchema = {
  ...defaultSchema,
  tagNames: [...(defaultSchema.tagNames ?? []).filter((n) => n !== 'picture' && n !== 'source'), ...mathTags],
  attributes: {
    ...defaultSchema.attributes,
    sup: [...(defaultSchema.attributes?.sup ?? []), ['dataCite', /^\d{1,3}$/]],
    ...Object.fromEntries(mathTags.map((n) => [n, mathAttributes])),
  },
  protocols: { ...defaultSchema.protocols, href: ['http', 'https', 'mailto'], src: ['http', 'https'] },
  strip: [...(defaultSchema.strip ?? []), 'annotation'],
};

/** The steps that draw formulas. They are large, so they come only when a text has one. */
export interface MathPlugins {
  remark: PluggableList;
  rehype: PluggableList;
}

let loading: Promise<MathPlugins> | undefined;

export function loadMath(): Promise<MathPlugins> {
  loading ??= Promise.all([import('remark-math'), import('rehype-katex')]).then(([remark, rehype]) => ({
    remark: [[remark.default, { singleDollarTextMath: false }]],
    rehype: [[rehype.default, { output: 'mathml', trust: false, maxExpand: 200, maxSize: 20 }]],
  }));
  return loading;
}
