"""What is looked at and how."""

from dataclasses import dataclass

VIEWS = ("Overview", "Teacher", "Trainer", "Events", "Evaluation & configuration")
EVENTS_VIEW = VIEWS.index("Events") + 1
# From here on there is room for two columns.
WIDE, TALL = 120, 30


@dataclass(frozen=True)
class Page:
    """The view (1 to 5), lines scrolled (Events: back from the newest), filter of the events, size in cells."""

    view: int = 1
    width: int = 80
    height: int = 24
    scroll: int = 0
    wanted: str = ""
    ascii_only: bool = False
    help: bool = False

    @property
    def room(self) -> int:
        """Lines between header and footer."""
        return max(1, self.height - 3)

    @property
    def wide(self) -> bool:
        return self.width >= WIDE and self.height >= TALL
