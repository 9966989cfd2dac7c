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
  gridOf: (total: number) => `${numbers.format(total)} items. Arrow keys choose one; the table below has the same.`,
  itemStatus: (status: string, count: string) => `${count} ${status}`,
  allItems: (count: string) => `all ${count}`,
  itemN: (index: number) => `Item ${numbers.format(index)}`,
  itsHistory: "Its history",
  itemUnknown: "The newest 20,000 entries of the history have nothing of this item.",
  noItems: "No item has this status.",
  goneRun: "This run was deleted. What you see is its last state.",
  calls: "Calls",
  cost: "Cost",
} as const;
