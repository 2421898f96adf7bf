const browsers: [RegExp, string][] = [
  [/\bEdgA?\/|\bEdgiOS\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bFirefox\/|\bFxiOS\//, 'Firefox'],
  [/\bChrom(e|ium)\/|\bCriOS\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
];

const machines: [RegExp, string][] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bLinux\b/, 'Linux'],
];

/** What a program calls itself in a few words, such as "Firefox on Linux"; programs that are no browsers by their own name. */
export function program(agent: string): string {
  const browser = browsers.find(([sign]) => sign.test(agent))?.[1];
  if (!browser) return agent.split(/[\s/]/)[0] ?? '';
  const machine = machines.find(([sign]) => sign.test(agent))?.[1];
  return machine ? `${browser} on ${machine}` : browser;
}
