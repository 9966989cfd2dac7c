"""Where an evaluation takes its time and its random bytes from."""

from __future__ import annotations


class Draw:
    """The moment and the seed of an evaluation: the same draw gives the same result.

    `millis` is the time since 1970, for `$now()` and `$millis()`. `seed` determines `$random()`, `$uuid()` and
    `$shuffle()`; evaluations that must differ need different seeds, as `derive` gives. A derived seed is computed when
    it is first read: most evaluations draw nothing.
    """

    __slots__ = ("_labels", "_seed", "millis")

    def __init__(self, millis: int = 0, seed: bytes = b"") -> None:
        self.millis, self._seed = millis, seed
        self._labels: tuple[str | int, ...] = ()

    @property
    def seed(self) -> bytes:
        """What its random values are derived from."""
        if self._labels:
            from hashlib import sha256

            state = sha256(self._seed)
            for label in self._labels:
                encoded = str(label).encode("utf-8", "surrogatepass")
                state.update(len(encoded).to_bytes(8, "big") + encoded)
            self._seed, self._labels = state.digest(), ()
        return self._seed

    def derive(self, *labels: str | int) -> Draw:
        """Return the draw of one evaluation among several, such as that of one arg."""
        derived = Draw(self.millis, self.seed)
        derived._labels = labels
        return derived

    def stream(self) -> Stream:
        """Return the random bytes, from their beginning."""
        return Stream(self.seed)


class Stream:
    """Random bytes determined by a seed: SHA-256 of the seed and a counter."""

    __slots__ = ("_counter", "_seed")

    def __init__(self, seed: bytes) -> None:
        self._seed, self._counter = seed, 0

    def bytes(self, count: int) -> bytes:
        """Return the next bytes, at most 32."""
        from hashlib import sha256

        self._counter += 1
        return sha256(self._counter.to_bytes(8, "big") + self._seed).digest()[:count]

    def fraction(self) -> float:
        """Return a number from 0 up to, but not including, 1."""
        return (int.from_bytes(self.bytes(8), "big") >> 11) / 2**53

    def below(self, limit: int) -> int:
        """Return a whole number from 0 up to, but not including, `limit`."""
        return int.from_bytes(self.bytes(16), "big") % limit
