"""The few ways a run can end badly. Each class carries the exit status that users and scripts see."""


class AutotrainError(Exception):
    """Something failed; the message names the value, where it came from and the remedy."""

    exit_status = 1


class SettingsError(AutotrainError):
    """The settings or the command line are wrong; nothing was created."""

    exit_status = 2


class StopRequested(AutotrainError):
    """The user asked to stop; the run can be resumed."""

    exit_status = 3


class Refused(AutotrainError):
    """Going on would be pointless or unsafe: nothing survived a stage, no sandbox, it cannot fit."""

    exit_status = 4
