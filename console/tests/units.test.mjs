// Parts of the page that need no browser: places in a text, and texts compared.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { transformWithOxc } from "vite";

/** A module of the page that imports no other. */
async function load(path) {
  const file = new URL(`../src/${path}`, import.meta.url);
  const { code } = await transformWithOxc(readFileSync(file, "utf8"), path);
  return import(`data:text/javascript,${encodeURIComponent(code)}`);
}

test("offsets: characters and units are told apart, and lead back", async () => {
  const { unitsOf, offsetOf, placeOf } = await load("screens/edit/units.ts");
  const text = "a😀b\n😀😀 é\r\nc";
  const units = unitsOf(text);
  for (let n = 0; n <= [...text].length; n += 1) {
    const at = units.toUnits(n);
    assert.equal(at, [...text].slice(0, n).join("").length);
    assert.equal(units.toCharacters(at), n);
  }
  const at = text.indexOf("é");
  const { line, before } = placeOf(text, at);
  assert.deepEqual([line, before], [2, "😀😀 "]);
  assert.equal(offsetOf(text, line, before.length + 1), at);
  assert.equal(offsetOf("a\nb", 9, 1), 3);
  assert.equal(placeOf("a\n\nb", 3).line, 3);
  assert.equal(placeOf("a\n\nb", 2).line, 2);
});

test("three texts: what each changed, what clashes, and both together", async () => {
  const { threeWay, merged, differences } = await load("screens/edit/diff.ts");
  const base = "a\nb\nc\nd\ne";
  assert.deepEqual(threeWay("a\nB\nc\nd\ne", base, "a\nb\nc\nd\nE\nf"), [
    { line: 2, mine: ["B"], base: ["b"], theirs: ["b"], clash: false },
    { line: 5, mine: ["e"], base: ["e"], theirs: ["E", "f"], clash: false },
  ]);
  assert.equal(merged("a\nB\nc\nd\ne", base, "a\nb\nc\nd\nE\nf"), "a\nB\nc\nd\nE\nf");
  assert.equal(merged("a\nc\nd\ne", base, "a\nb\nc\nd\nx\ne"), "a\nc\nd\nx\ne");
  assert.equal(merged("a\nB\nc\nd\ne", base, "a\nX\nc\nd\ne"), null);
  assert.equal(threeWay("a\nB\nc\nd\ne", base, "a\nX\nc\nd\ne")[0].clash, true);
  assert.equal(merged("a\nB\nc\nd\ne", base, "a\nB\nc\nd\ne"), "a\nB\nc\nd\ne");
  assert.deepEqual(threeWay(base, base, base), []);
  assert.deepEqual(threeWay("", "", "x"), [{ line: 1, mine: [""], base: [""], theirs: ["x"], clash: false }]);
  assert.deepEqual(differences(["a"], ["b"]), [["-", "a"], ["+", "b"]]);
});
