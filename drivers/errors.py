"""What goes wrong between us and a device.

    DeviceError                 the device, what happened, what to do
    ├── DeviceUnreachable       no connection, or it was lost
    ├── DeviceTimeout           connected, but no answer in time
    ├── ProtocolError           an answer that the manual does not allow (checksum, length, range)
    ├── DeviceRefused           the device answered with an error of its own
    ├── InterlockOpen           a door or safety circuit is open: nothing flashes
    ├── PanelLive               a panel still carries the test voltage: nobody touches it
    └── IdentityChanged         another instrument answers than the one that was configured

A broken panel is a finding; a broken instrument is one of these, and ends in *retest* or
*hold*.
"""

from __future__ import annotations


class DeviceError(Exception):
    """A device did not do what its manual says.

    ``device`` is the name in the configuration, ``detail`` what happened, ``remedy`` what the
    operator can do.
    """

    title = "A device failed"

    def __init__(self, device: str, detail: str, remedy: str) -> None:
        super().__init__(f"{device}: {detail} {remedy}")
        self.device = device
        self.detail = detail
        self.remedy = remedy


class DeviceUnreachable(DeviceError):
    """No connection to the device, or it was lost."""

    title = "A device cannot be reached"


class DeviceTimeout(DeviceError):
    """The device is connected but did not answer in time."""

    title = "A device did not answer in time"


class ProtocolError(DeviceError):
    """An answer that the device's manual does not allow."""

    title = "A device sent an answer that cannot be trusted"


class DeviceRefused(DeviceError):
    """The device refused the command with an error of its own."""

    title = "A device refused a command"


class InterlockOpen(DeviceError):
    """A door or a safety circuit is open."""

    title = "The cabinet is not safe to flash"


class PanelLive(DeviceError):
    """A panel still carries the voltage it was tested with."""

    title = "A panel carries a dangerous voltage"


class IdentityChanged(DeviceError):
    """Another instrument answers than the one that was configured or seen before."""

    title = "A device was exchanged"
