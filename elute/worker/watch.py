"""When files have changed and settled."""

from collections.abc import Mapping

# Seconds without a change. A copy over a network may stall, at the end of a line as anywhere; how
# long it has taken so far tells for how long to wait.
LEAST_PATIENCE, MOST_PATIENCE = 10.0, 60.0
Signature = Mapping[str, list[int] | None]


class Watch:
    """Says when the files differ from what was read last, and nobody writes to them any more.

    Args:
        read: signature of the files as the last run read them; None if there is none.
    """

    def __init__(self, read: Signature | None) -> None:
        self._read = read
        self._seen = read
        self._changed: dict[str, tuple[float, float]] = {}  # when first and last

    def was_read(self, files: Signature) -> None:
        """A run reads the files as they are now."""
        self._read = {**(self._read or {}), **files}
        self._changed.clear()

    def is_due(self, files: Signature, moment: float) -> bool:
        """Whether to build, seeing these files at this moment.

        Without a run to compare with, what is there first counts as read: the first build is not
        this one's to ask for.

        Args:
            files: as they are now.
            moment: now, in seconds of a steady clock.
        """
        # What has become an input file since counts as read, too. What is none now is kept in mind:
        # the YAML that declares it may be being written.
        self._read = {**files, **(self._read or {})}
        self._seen = {**files, **(self._seen or {})}
        for name in files:
            if files[name] != self._seen[name]:
                first, _ = self._changed.get(name, (moment, moment))
                self._changed[name] = first, moment
        self._seen = {**self._seen, **files}
        is_whole = all(seen is not None for seen in files.values())
        is_other = any(files[name] != self._read[name] for name in files)
        return is_whole and is_other and self._have_settled(moment)

    def _have_settled(self, moment: float) -> bool:
        return all(
            moment - last >= min(max(last - first, LEAST_PATIENCE), MOST_PATIENCE)
            for first, last in self._changed.values()
        )
