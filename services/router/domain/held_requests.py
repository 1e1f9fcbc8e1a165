"""How many requests are held until a replica is there, and whether one more may be."""

from collections import Counter

from services.router.domain.place_turns import Waiting


class HeldRequests:
    """So many in all at most, half of them of the class batch; of a key as many as its askers say."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._of_key: Counter[int] = Counter()
        self._of_batch = 0

    @property
    def count(self) -> int:
        """Returns how many are held."""
        return sum(self._of_key.values())

    def hold(self, waiting: Waiting) -> bool:
        """Tells whether a request is held, which it is from now on where there is room for it."""
        if waiting.is_held or not self._has_room(waiting):
            return waiting.is_held
        self._of_key[waiting.asker.key] += 1
        self._of_batch += waiting.is_batch
        waiting.is_held = True
        return True

    def leave(self, waiting: Waiting) -> None:
        """Gives the room of a request back that does not wait any more."""
        if not waiting.is_held:
            return
        key = waiting.asker.key
        self._of_batch -= waiting.is_batch
        self._of_key[key] -= 1
        if not self._of_key[key]:
            del self._of_key[key]

    def _has_room(self, waiting: Waiting) -> bool:
        most_of_key = waiting.asker.most_of_key
        if waiting.is_batch:
            most_of_key = max(1, most_of_key // 2)
            if self._of_batch >= self._most // 2:
                return False
        return self.count < self._most and self._of_key[waiting.asker.key] < most_of_key
