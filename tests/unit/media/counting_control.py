# SPDX-License-Identifier: GPL-3.0-or-later
"""A `ports.ReceiverControl` that counts first frames."""


class CountingControl:
    def __init__(self) -> None:
        self.first = 0

    def request_key_frame(self) -> None: ...

    def first_frame(self) -> None:
        self.first += 1
