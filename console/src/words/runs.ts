// The words of the screens of runs; `en.ts` has the others.
const numbers = new Intl.NumberFormat("en");

export const runWords = {
  entryN: (seq: number) => `Entry ${numbers.format(seq)}`,
  byWhom: (who: string) => `by ${who}`,
  foundOf: (found: string, read: string, all: boolean) => (all ? `${found} found in ${read}` : `${found} found in ${read} read`),
  readOn: "Look through older entries",
  anyStep: "Any step",
  tokenIs: (token: string) => `token ${token}`,
  goToEntry: "Go to no.",
  saveWhole: (what: string) => `Save the whole of ${what}`,
  openPart: (place: string) => `Open ${place}`,
  openOf: (type: string, size: string) => `${type} of ${size}`,
  earlierOf: (what: string) => `Earlier values of ${what}`,
  laterOf: (what: string) => `Later values of ${what}`,
  indexOf: (what: string) => `First index that is shown of ${what}`,
  newestOnly: (first: string) => `Begins with entry ${first}: older ones are not read.`,
  goneRun: "This run was deleted. What you see is its last state.",
  calls: "Calls",
  cost: "Cost",
} as const;
